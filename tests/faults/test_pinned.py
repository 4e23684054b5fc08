"""Every dependency is pinned to the version that the tests ran with."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import vilora_analysis

ROOT = Path(vilora_analysis.__file__).parents[1]


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [line for group in groups for line in group]
    lines = [
        line.partition("#")[0].strip()
        for line in (ROOT / "constraints.txt").read_text().split("\n")
    ]
    pins = [Requirement(line) for line in lines if line]
    assert all([s.operator for s in pin.specifier] == ["=="] for pin in pins)
    versions = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pins}
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])
