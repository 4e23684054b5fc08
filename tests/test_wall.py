"""What lies below the wall loads nothing from above it, and no room imports from one above."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vilora_analysis"
HEAVY = {"torch", "transformers", "peft", "ivon", "datasets"}
TORCH_FREE = (
    *("analysis", "audits", "figures", "report", "log", "cli"),
    *("scores", "training.config", "sweeps"),
)

LEAVES = {"aggregation", "inputs", "errors", "naming", "budget", "provenance"}
LEAVES |= {"cores", "scheduler", "text"}
BELOW: dict[str, set[str]] = {
    **dict.fromkeys(LEAVES, LEAVES),
    "triplets": LEAVES,
    "posterior": LEAVES | {"triplets"},
    "fisher": LEAVES | {"triplets"},
    "adapter": LEAVES | {"triplets", "posterior"},
    "scores": LEAVES | {"triplets", "posterior"},
    "allocation": LEAVES | {"triplets", "posterior", "scores"},
    "log": LEAVES,
    "recording": LEAVES | {"triplets", "posterior", "scores", "allocation", "log"},
    "training": LEAVES
    | {"triplets", "posterior", "fisher", "adapter", "scores", "allocation", "log", "recording"},
    "sweeps": LEAVES | {"log", "training"},
    "probes": LEAVES
    | {"triplets", "posterior", "fisher", "adapter", "scores", "log", "recording", "training"},
    "analysis": LEAVES | {"log"},
    "figures": LEAVES,
    "audits": LEAVES | {"log", "scores", "probes", "analysis", "figures"},
    "report": LEAVES | {"log", "analysis", "figures", "audits"},
}
"""Rooms that each room may import from, besides itself; the command line and the package's own map
of names may from all."""
ALL = {*BELOW, "cli"}

LOADED = """
import importlib, json, sys
loaded = {}
for name in sys.argv[1:]:
    importlib.import_module(name)
    loaded[name] = sorted({module.partition(".")[0] for module in sys.modules})
if "vilora_analysis" in loaded:
    import vilora_analysis as va
    va.open_run, va.Run, va.analysis.ranks, va.figures.save, va.log, va.get_score, va.RunConfig
    loaded["public names"] = sorted({module.partition(".")[0] for module in sys.modules})
print(json.dumps(loaded))
"""


def loaded_after(*modules: str) -> dict[str, set[str]]:
    """Top-level modules that are there after importing one after the other."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOADED, *modules],
        check=True,
        capture_output=True,
        text=True,
    )
    return {name: set(tops) for name, tops in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    return loaded_after("vilora_analysis", *(f"vilora_analysis.{room}" for room in TORCH_FREE))


def test_the_package_itself_loads_next_to_nothing(loaded: dict[str, set[str]]) -> None:
    light = HEAVY | {"numpy", "pandas", "pyarrow", "scipy", "matplotlib", "seaborn"}
    assert not loaded["vilora_analysis"] & light


@pytest.mark.parametrize("room", TORCH_FREE)
def test_no_torch_below_the_wall(loaded: dict[str, set[str]], room: str) -> None:
    assert not loaded[f"vilora_analysis.{room}"] & HEAVY


def test_the_probe_sees_what_is_loaded() -> None:
    loaded = loaded_after("colorsys", "sqlite3")
    assert "sqlite3" not in loaded["colorsys"]
    assert "sqlite3" in loaded["sqlite3"]


def test_public_names_below_the_wall_load_no_torch(loaded: dict[str, set[str]]) -> None:
    assert not loaded["public names"] & HEAVY


def room_of(file: Path) -> str:
    """First part of the path below the package; empty for the package's own map of names."""
    name = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if name == "__init__" else name


def imported_rooms(source: str, package: str) -> Iterator[tuple[str, int]]:
    """Rooms that a module imports anything from, wherever in it, and the lines.

    Imports for type checking only count as well: they point the same way.
    """
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            head, *rooms = name.split(".")
            if head == "vilora_analysis" and rooms:
                yield rooms[0], node.lineno


def upward_imports(source: str, room: str) -> list[str]:
    allowed = ALL if room in ("", "cli") else BELOW[room] | {room}
    package = ".".join(filter(None, ["vilora_analysis", room]))
    return [
        f"line {line}: {room} imports {other}"
        for other, line in imported_rooms(source, package)
        if other not in allowed and not (room == "" and other == "__version__")
    ]


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_down_the_flow(file: Path) -> None:
    room = room_of(file)
    assert room in {"", *ALL}, f"{room} is a new room: say in BELOW where it stands"
    assert upward_imports(file.read_text(encoding="utf-8"), room) == []


def test_every_room_with_a_place_is_there() -> None:
    assert {room_of(file) for file in FILES} - {""} == ALL


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("log", "from vilora_analysis.recording import instrument"),
        ("log", "import vilora_analysis.scores"),
        ("log", "from vilora_analysis import posterior"),
        ("log", "from ..analysis import ranks"),
        ("log", "from .. import figures"),
        ("figures", "from vilora_analysis.log import Run"),
        ("figures", "def draw():\n    from vilora_analysis.analysis import ranks"),
        ("analysis", "import numpy, vilora_analysis.scores.registry as registry"),
        ("scores", "from vilora_analysis.allocation import select"),
        ("triplets", "if TYPE_CHECKING:\n    from vilora_analysis.posterior import Snapshot"),
        ("recording", "from vilora_analysis.training.config import RunConfig"),
        ("training", "from vilora_analysis.cli import main"),
        ("errors", "from vilora_analysis.log import Run"),
        ("fisher", "from vilora_analysis.training.tasks import Task"),
        ("training", "from vilora_analysis.probes.fisher import take_fisher"),
    ],
)
def test_an_upward_import_is_caught(room: str, source: str) -> None:
    assert len(upward_imports(source, room)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("log", "from vilora_analysis.log.parts import Part\nfrom . import schema"),
        ("log", "from .parts import Part\nfrom ..errors import LogError\nfrom .. import inputs"),
        ("analysis", "from vilora_analysis.log import Run\nimport scipy.stats"),
        ("recording", "from vilora_analysis import scores\nimport vilora_analysis.allocation"),
        ("cli", "from vilora_analysis import analysis, figures, training"),
    ],
)
def test_a_downward_import_is_not(room: str, source: str) -> None:
    assert upward_imports(source, room) == []


def test_heavy_libraries_are_named_in_their_rooms_only() -> None:
    """Nobody but the training room names the libraries of the [train] extra other than torch."""
    for file in FILES:
        if room_of(file) == "training":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            tops = {name.partition(".")[0] for name in names}
            assert not tops & (HEAVY - {"torch"}), file
