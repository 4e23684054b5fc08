"""The notebooks run from nothing, warn of nothing, and are committed with what they show."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import vilora_analysis as va
from notebooks.execute import HERE, METADATA, NAMES, PNG, execute
from notebooks.small_run import SETTINGS

LARGEST = 150_000
PRIVATE = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|var|private|Users|opt|mnt)/|0x[0-9a-f]{6,}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all are executed: the run that one trains, the next one opens."""
    return tmp_path_factory.mktemp("notebooks")


def committed(name: str) -> Any:
    return nbformat.read(HERE / f"{name}.ipynb", as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell: Any) -> list[tuple[str, ...]]:
    """What kinds of output a cell has; the numbers in them differ from machine to machine."""
    return [(output.output_type, *sorted(output.get("data", {}))) for output in cell.outputs]


def said_wrongly(cell: Any) -> list[Any]:
    return [o for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]


def test_every_notebook_is_known() -> None:
    assert {path.stem for path in HERE.glob("*.ipynb")} == {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_and_shows_what_is_committed(name: str, folder: Path) -> None:
    before, now = committed(name), execute(name, folder)
    assert [cell.source for cell in now.cells] == [cell.source for cell in before.cells]
    for old, new in zip(code(before), code(now), strict=True):
        assert not said_wrongly(new), new.source
        assert kinds(old) == kinds(new), new.source


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_with_outputs_in_order(name: str) -> None:
    notebook = committed(name)
    nbformat.validate(notebook)
    assert notebook.metadata == METADATA
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert not [output for cell in cells for output in said_wrongly(cell)]
    assert sum(bool(cell.outputs) for cell in cells) >= len(cells) - 1
    for output in (output for cell in cells for output in cell.outputs):
        if output.output_type == "execute_result":
            assert output.execution_count in range(1, len(cells) + 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_and_says_nothing_of_the_machine(name: str) -> None:
    text = (HERE / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    words = PNG.sub("", text)
    assert PRIVATE.findall(words) == []
    assert str(Path.home()) not in words
    for picture in PNG.findall(text):
        assert b"/" + Path.home().name.encode() not in base64.b64decode(picture)


def test_the_quickstarts_run_is_the_one_the_others_open() -> None:
    cell = code(committed("quickstart"))[0].source
    names: dict[str, Any] = {}
    exec(cell.partition("run = va.train")[0], names)
    own = va.configure(optimizer="ivon", criterion="snr", **SETTINGS)
    assert names["config"].as_dict() == own.as_dict()
    assert names["config"].out == Path("runs", "ivon-snr")
