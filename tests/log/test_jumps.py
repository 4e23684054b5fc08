"""Steps that never came, as the caller went on from an error: a gap, and no hole."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.log.synthetic import manifest, numbered_step, schema_of
from vilora_analysis.errors import LogError, ScoreError
from vilora_analysis.log import LogWriter, Manifest, check_run, open_run, parts, writer
from vilora_analysis.log.manifest import GapRow

KNOWN = manifest()
SCHEMA = schema_of(KNOWN)
RAISED = "not recorded: an error was raised in this step"


def opened(run: Path, **options: int) -> LogWriter:
    return LogWriter(run, KNOWN, triplets=SCHEMA, **options)  # type: ignore[arg-type]


def written(log: LogWriter, *steps: int) -> None:
    for step in steps:
        log.metrics(step, {"lr": 0.1})
        log.triplets(*numbered_step(KNOWN, step))


def lost(run: Path, last: int) -> list[int]:
    """Steps that are missing, all of them known; checked against what can be read."""
    assert check_run(run) == []
    gaps = {s for g in Manifest.load(run).gaps for s in range(g.first, g.last + 1)}
    assert open_run(run).steps.tolist() == sorted({*range(1, last + 1)} - gaps)
    return sorted(gaps)


def test_steps_that_never_came_are_noted_before_the_part_behind_them(tmp_path: Path) -> None:
    log = opened(tmp_path / "run")
    written(log, 1, 2, 5, 6, 8)
    assert log.gaps == (GapRow("triplets", 3, 4, RAISED), GapRow("triplets", 7, 7, RAISED))
    log.flush()
    log._lock.release()  # as if killed
    assert lost(tmp_path / "run", 8) == [3, 4, 7]


def test_none_are_missed_where_none_are_due(tmp_path: Path) -> None:
    for every, resumed in ((1, None), (5, None), (5, 14)):
        run = tmp_path / f"{every}-{resumed}"
        known = manifest(every=every)
        if resumed:
            LogWriter(run, known, triplets=SCHEMA).close("failed")
        log = LogWriter(run, known, triplets=SCHEMA, resume_step=resumed)
        first = 15 if resumed else 4 * every  # a run may begin with any step
        for step in range(first, first + 4 * every, every):
            log.triplets(*numbered_step(known, step))
        log.close("finished")
        assert [gap for gap in log.gaps if gap.last >= first] == []


def test_the_first_step_after_resuming_may_be_lost_too(tmp_path: Path) -> None:
    log = opened(tmp_path / "run")
    written(log, 1, 2, 3, 4)
    log.close("failed")
    log = opened(tmp_path / "run", resume_step=3)
    written(log, 6, 7)
    log.close("finished")
    assert lost(tmp_path / "run", 7) == [4, 5]


class Later:
    """Numbers of a step that come later, or never."""

    def __init__(self, values: np.ndarray | None) -> None:
        self.values = values

    def resolve(self) -> np.ndarray:
        if self.values is None:
            raise ScoreError("not a number")
        return self.values


def test_the_step_that_is_told_of_the_one_before(tmp_path: Path) -> None:
    """In a thread step 6 fails, and its error is raised in place of step 7."""
    log = opened(tmp_path / "run", depth=2)
    caught = []
    for step in range(1, 12):
        _, values, kept = numbered_step(KNOWN, step)
        log.metrics(step, {"lr": 0.1})
        try:
            log.triplets(step, Later(None if step == 6 else values), kept)
            if step == 6:
                time.sleep(0.05)
        except ScoreError:
            caught.append(step)
    log.close("finished")
    assert len(caught) == 1
    assert set(lost(tmp_path / "run", 11)) <= {6, *caught}


@pytest.mark.parametrize("depth", [0, 4])
def test_a_full_disk_that_the_caller_goes_on_from(
    depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_ROWS_PER_PART", 4 * KNOWN.n_triplets)
    log, full = opened(tmp_path / "run", depth=depth), [False]
    to_disk = parts._to_disk

    def failing(descriptor: int) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")
        to_disk(descriptor)

    monkeypatch.setattr(parts, "_to_disk", failing)
    for step in range(1, 31):
        full[0] = 9 <= step <= 12
        log.metrics(step, {"lr": 0.1})
        try:
            log.triplets(*numbered_step(KNOWN, step))
            time.sleep(0.005)
        except LogError:
            assert 8 <= step <= 14
    log.close("finished")
    assert set(lost(tmp_path / "run", 30)) <= ({*range(8, 15)} if depth else set())
