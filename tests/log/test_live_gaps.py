"""A run that loses steps while it is looked at: what it says of them meanwhile counts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.log.synthetic import manifest, numbered_step, schema_of
from vilora_analysis.log import LogWriter, check, check_run, open_run, parts

KNOWN = manifest()


@pytest.fixture
def log(tmp_path: Path) -> LogWriter:
    """A run of five steps that is still being written."""
    opened = LogWriter(tmp_path / "run", KNOWN, triplets=schema_of(KNOWN), on_error="warn")
    written(opened, 1, 5)
    return opened


def written(log: LogWriter, first: int, last: int) -> None:
    for step in range(first, last + 1):
        log.metrics(step, {"lr": 0.1})
        log.triplets(*numbered_step(KNOWN, step))
    log.flush()


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def loses_and_goes_on(log: LogWriter) -> None:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(parts, "_to_disk", full)
        written(log, 6, 10)
    written(log, 11, 15)


def test_a_run_that_was_opened_before(log: LogWriter) -> None:
    run = open_run(log.directory)
    loses_and_goes_on(log)
    there = [*range(1, 6), *range(11, 16)]
    assert run.steps.tolist() == there
    assert run.triplets(["step"])["step"].unique().tolist() == there
    assert run.metrics()["step"].tolist() == there
    log.close("finished")


def checked_while(
    log: LogWriter, happens: Callable[[LogWriter], None], monkeypatch: pytest.MonkeyPatch
) -> list[check.Problem]:
    """What a check says that had read the manifest before something happens."""
    owner, left = check.owner, [happens]

    def meanwhile(*args: Any) -> str:
        found = owner(*args)
        while left:
            left.pop()(log)
        return found

    monkeypatch.setattr(check, "owner", meanwhile)
    found = check_run(log.directory)
    assert not left
    log.close("finished")
    return found


def test_a_check_that_is_under_way(log: LogWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked_while(log, loses_and_goes_on, monkeypatch) == []


def test_what_is_wrong_still_is_at_a_second_look(
    log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged_as_well(log: LogWriter) -> None:
        loses_and_goes_on(log)
        written(log, 16, 20)
        next((log.directory / "triplets").glob("*-000000011-*")).unlink()

    (problem,) = checked_while(log, damaged_as_well, monkeypatch)
    assert (problem.table, problem.first, problem.last) == ("triplets", 6, 15)
