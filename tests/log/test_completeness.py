"""What is gone without a gap is missed all the same, and what is no fault is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.log.synthetic import (
    decision,
    manifest,
    numbered_step,
    only_problem,
    parts_of,
    schema_of,
    write_run,
)
from vilora_analysis.log import LogWriter, check_run, remarks

SCHEDULE = {"init_budget": 20, "target_budget": 8, "tinit": 3, "tfinal": 2, "total_steps": 10}
RECORDER = {"schedule": SCHEDULE, "elements_every": 0}


def pruned_run(path: Path, **changes: Any) -> Path:
    """Ten steps in three parts each, every other one recorded, decisions from step 4 on."""
    events = [decision(step) for step in range(4, 9)]
    metrics = [(step, {"lr": 0.1}) for step in range(1, 11)]
    given = {"steps": range(2, 11, 2), "every": 2, "flush_after": (4, 8), "recorder": RECORDER}
    return write_run(path, **{**given, "events": events, "metrics": metrics, **changes}).path


def edited(run: Path, **changes: object) -> None:
    described = json.loads((run / "run.json").read_text())
    described.pop("checksum")
    (run / "run.json").write_text(json.dumps({**described, **changes}))


def test_a_whole_run_has_neither_problems_nor_remarks(tmp_path: Path) -> None:
    run = pruned_run(tmp_path / "run")
    assert check_run(run) == []
    assert remarks(run) == remarks(str(run)) == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("triplets", "ends before step 10, but the run took 10"),
        ("metrics", "ends before step 10, the last of the triplets"),
        ("events", "is empty, but the first decision was due at step 4"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_table_that_is_gone(tmp_path: Path, table: str, said: str, whole: bool) -> None:
    run = pruned_run(tmp_path / "run")
    if whole:
        shutil.rmtree(run / table)
    else:
        for part in parts_of(run, table):
            part.unlink()
    assert only_problem(run, run / table) == said


def test_a_table_that_lost_its_last_part(tmp_path: Path) -> None:
    run = pruned_run(tmp_path / "run")
    parts_of(run)[-1].unlink()
    assert only_problem(run, run / "triplets") == "ends before step 10, but the run took 10"


def test_snapshots_of_elements_that_are_gone(tmp_path: Path) -> None:
    run = pruned_run(tmp_path / "run", recorder={**RECORDER, "elements_every": 4})
    assert only_problem(run, run / "elements") == "ends before step 8, but the run took 10"


def test_nothing_is_due_before_its_time(tmp_path: Path) -> None:
    metrics = [(step, {"lr": 0.1}) for step in (1, 2, 3, 4)]
    run = pruned_run(tmp_path / "run", steps=(), every=5, metrics=metrics, events=())
    assert check_run(run) == []
    assert remarks(run) == ["no step is recorded: one in 5 is, and the run took 4"]


@pytest.mark.parametrize("schedule", [None, {"steps": 3}, {**SCHEDULE, "tinit": 9}, "soon"])
def test_a_schedule_that_says_nothing_misses_no_decision(tmp_path: Path, schedule: object) -> None:
    run = pruned_run(tmp_path / "run", recorder={"schedule": schedule}, events=())
    assert check_run(run) == []


def test_an_observed_run_has_no_decisions(tmp_path: Path) -> None:
    assert check_run(pruned_run(tmp_path / "run", criterion=None, events=())) == []


def test_a_run_without_modules_needs_no_triplets(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "run", manifest(()), triplets=None)
    for step in (1, 2, 3):
        log.metrics(step, {"loss": 1.0})
    log.close("finished")
    assert check_run(log.directory) == []
    assert remarks(log.directory) == []


def test_a_failed_run_lacks_the_step_it_failed_at(tmp_path: Path) -> None:
    known = manifest()
    log = LogWriter(tmp_path / "run", known, triplets=schema_of(known))
    for step in (1, 2, 3):
        log.metrics(step, {"lr": 0.1})
    log.triplets(*numbered_step(known, 1))
    log.triplets(*numbered_step(known, 2))
    log.close("failed")
    assert check_run(log.directory) == []
    assert remarks(log.directory) == ["not finished: it failed after step 3"]


def test_a_run_that_nobody_writes_any_more(tmp_path: Path) -> None:
    run = pruned_run(tmp_path / "run")
    edited(run, status="running")
    assert check_run(run) == []
    assert remarks(run) == [
        "not finished: it ended after step 10 without being closed, and nobody writes it now"
    ]


def test_a_killed_run_may_lack_what_its_last_write_did_not_reach(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", flush_after=(2, 4)).path
    edited(run, status="running")
    parts_of(run)[-1].unlink()
    assert check_run(run) == []
    parts_of(run)[-1].unlink()
    assert only_problem(run, run / "triplets") == "ends before step 4, but the run took 4"


def test_a_run_that_is_being_written(tmp_path: Path) -> None:
    known = manifest()
    log = LogWriter(tmp_path / "run", known, triplets=schema_of(known))
    log.metrics(1, {"lr": 0.1})
    log.triplets(*numbered_step(known, 1))
    log.flush()
    assert remarks(log.directory) == ["not finished: still being written, after step 1"]
    log.close("finished")
    assert remarks(log.directory) == []


def test_a_manifest_that_cannot_be_read_is_for_the_check(tmp_path: Path) -> None:
    run = pruned_run(tmp_path / "run")
    (run / "run.json").write_text("{")
    assert remarks(run) == []
    assert remarks(tmp_path / "nowhere") == []
