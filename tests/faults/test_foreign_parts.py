"""Parts that somebody put beside those of a run that was killed: how far had it gone?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.damage import truncated, write_log
from tests.log.synthetic import parts_of
from vilora_analysis.log import Manifest, check_run, repair_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Steps 1 to 8, two a part."""
    return write_log(tmp_path / "run", status=None)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A part of another run, of steps 7 and 8."""
    return parts_of(write_log(tmp_path / "other", 9))[3]


def repaired(run: Path) -> list[tuple[str, int, int]]:
    """Gaps that a repair notes."""
    repair_run(run)
    assert check_run(run) == repair_run(run) == []
    return [(gap.table, gap.first, gap.last) for gap in Manifest.load(run).gaps]


@pytest.mark.parametrize(
    "name",
    ["part-000004-000000081-000000100.parquet", "part-000009-000000011-000000012.parquet"],
)
def test_what_was_put_beside_them_tells_nothing(name: str, run: Path, foreign: Path) -> None:
    shutil.copy(foreign, run / "triplets" / name)
    assert repaired(run) == []


def test_what_was_put_in_the_place_of_the_last_tells_what_is_lost(run: Path, foreign: Path) -> None:
    shutil.copy(foreign, parts_of(run)[3])
    assert repaired(run) == [("triplets", 7, 8)]


def test_behind_one_of_its_own_that_is_lost_too(run: Path, foreign: Path) -> None:
    truncated(parts_of(run)[2])
    shutil.copy(foreign, parts_of(run)[3])
    assert repaired(run) == [("triplets", 5, 8)]


def test_what_cannot_be_read_has_the_steps_of_its_name(run: Path) -> None:
    part = run / "triplets" / "part-000004-000000009-000000010.parquet"
    shutil.copy(parts_of(run)[3], part)
    truncated(part)
    assert repaired(run) == [("triplets", 9, 10)]
