"""The step an analysis looks at is where the scores still rank everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.log.synthetic import decision, manifest, write_run
from vilora_analysis.analysis import decision_step
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, open_run


@pytest.mark.parametrize(
    ("recorded", "decided", "expected"),
    [
        (range(1, 11), [3, 6, 7], 7),
        (range(1, 11), [], 10),
        (range(1, 11), [10], 10),
        (range(5, 31, 5), [3, 10, 12, 13], 10),  # the last decision that was recorded
        (range(5, 31, 5), [3, 7], 30),  # none was: the last step
    ],
)
def test_it_is_the_last_recorded_decision(
    tmp_path: Path, recorded: range, decided: list[int], expected: int
) -> None:
    path = write_run(
        tmp_path / "run",
        steps=recorded,
        every=recorded.step,
        events=[decision(step) for step in decided],
    ).path
    step = decision_step(open_run(path))
    assert step == expected
    assert type(step) is int


def test_a_run_without_steps_has_none(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", steps=(), events=[decision(1)]).path
    with pytest.raises(LogError, match="has no recorded steps"):
        decision_step(open_run(path))


def test_why_a_run_has_no_steps_is_said(tmp_path: Path) -> None:
    metrics = [(step, {"lr": 0.1}) for step in (1, 2, 3)]
    rare = write_run(tmp_path / "rare", steps=(), every=50, metrics=metrics).path
    with pytest.raises(LogError, match="one step in 50 is recorded, and the run took 3"):
        decision_step(open_run(rare))
    full = LogWriter(tmp_path / "full", manifest(()), triplets=None)
    full.close("finished")
    with pytest.raises(LogError, match="no matrix was adapted"):
        decision_step(open_run(full.directory))
