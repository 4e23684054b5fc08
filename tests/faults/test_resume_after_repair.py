"""A training whose log is damaged goes on after a repair, to the same weights, and says its gap.

Stopped after step 13, with its last checkpoint at step 10; parts end at checkpoints.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.faults.damage import TABLES, flipped_page, truncated, zeroed
from tests.log.synthetic import parts_of
from tests.training.test_resume import files_of, log_of, run_killed
from vilora_analysis.cli import main
from vilora_analysis.log import Manifest, check_run, compact_run, open_run, remarks, repair_run
from vilora_analysis.training import configure
from vilora_analysis.training import run as running

LAST, CHECKPOINT, STOPPED = 15, 10, 13
SETTINGS: dict[str, Any] = {
    "task": "sst2",
    "steps": LAST,
    "batch_size": 4,
    "init_rank": 3,
    "target_rank": 2,
    "max_length": 16,
    "eval_every": 5,
    "elements_every": 4,
    "checkpoint_every": 5,
    "tfinal": 1,
    "resume": True,
}
BEFORE = {"triplets": (6, 10), "metrics": (6, 10), "events": (6, 10), "elements": (8, 8)}
"""The last steps of each table before the checkpoint, and so of a part."""


@pytest.fixture(scope="module")
def settings(dropout_encoder: Path, glue: Path) -> dict[str, Any]:
    return {**SETTINGS, "model": str(dropout_encoder), "data_dir": glue}


@pytest.fixture(scope="module")
def whole(settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    running.train(configure(**settings, out=out), progress=False)
    return out


@pytest.fixture(scope="module")
def killed(settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("killed") / "run"
    run_killed({**settings, "out": out}, "between steps", STOPPED)
    assert Manifest.load(out).status == "running"
    return out


@pytest.fixture(scope="module")
def stopped(settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stopped") / "run"
    between = running._between

    def asked_to_end(parts: Any, recording: Any) -> None:
        between(parts, recording)
        if recording.step == STOPPED:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_between", asked_to_end)
        with pytest.raises(KeyboardInterrupt):
            running.train(configure(**settings, out=out), progress=False)
    assert Manifest.load(out).status == "failed"
    return out


def parts_to(run: Path, table: str, least: int, most: int) -> list[Path]:
    """Parts whose last step lies between two."""
    return [p for p in parts_of(run, table) if least <= int(p.stem.split("-")[-1]) <= most]


def resumed(run: Path, settings: dict[str, Any]) -> Path:
    done = running.train(configure(**settings, out=run), progress=False)
    assert done.manifest.status == "finished"
    return run


def lost_of(run: Path, whole: Path) -> dict[str, tuple[int, int]]:
    """First and last step of which rows are missing; all others are those of the whole run."""
    expected, got = files_of(whole), files_of(run)
    assert expected.keys() == got.keys()
    assert all(torch.equal(value, got[name]) for name, value in expected.items())
    assert open_run(run).manifest.results == open_run(whole).manifest.results
    lost = {}
    found = log_of(run)
    for table, frame in log_of(whole).items():
        there = frame["step"].isin(found[table]["step"])
        pd.testing.assert_frame_equal(
            found[table], frame[there].reset_index(drop=True), check_exact=True
        )
        if not there.all():
            gone = frame["step"][~there]
            lost[table] = (int(gone.min()), int(gone.max()))
    return lost


def says_its_gaps_and_nothing_else(run: Path, lost: dict[str, tuple[int, int]]) -> None:
    assert check_run(run) == []
    gaps = {gap.table: gap for gap in Manifest.load(run).gaps}
    assert gaps.keys() == lost.keys()
    for table, (first, last) in lost.items():
        assert gaps[table].first <= first
        assert last <= gaps[table].last <= CHECKPOINT
    assert len(remarks(run)) == len(lost)
    assert all(line.startswith("known gap: ") for line in remarks(run))


@pytest.mark.parametrize(("source", "damage"), [("killed", truncated), ("stopped", flipped_page)])
def test_damaged_before_the_checkpoint(
    source: str,
    damage: Callable[[Path], None],
    settings: dict[str, Any],
    whole: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    run = shutil.copytree(request.getfixturevalue(source), tmp_path / "run")
    for table in TABLES:
        damage(parts_to(run, table, 0, CHECKPOINT)[-1])
    assert main(["check", str(run), "--repair"]) == 0
    lost = lost_of(resumed(run, settings), whole)
    assert lost == BEFORE
    says_its_gaps_and_nothing_else(run, lost)
    assert main(["check", str(run)]) == 0
    assert open_run(run).steps.tolist() == [1, 2, 3, 4, 5, 11, 12, 13, 14, 15]
    if source == "killed":  # once will do
        assert main(["analyze", str(run), "--out", str(tmp_path / "out")]) == 0


def test_damaged_after_the_checkpoint_it_is_the_same_run(
    settings: dict[str, Any], whole: Path, stopped: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(stopped, tmp_path / "run")
    for table in TABLES:
        for part in parts_to(run, table, CHECKPOINT + 1, LAST):
            zeroed(part)
    repair_run(run)
    assert {gap.table for gap in Manifest.load(run).gaps} == {*TABLES}
    assert lost_of(resumed(run, settings), whole) == {}
    says_its_gaps_and_nothing_else(run, {})


def test_damaged_over_the_checkpoint(
    settings: dict[str, Any], whole: Path, stopped: Path, tmp_path: Path
) -> None:
    """A log that was put together has no boundary where the checkpoint was made."""
    run = shutil.copytree(stopped, tmp_path / "run")
    compact_run(run)
    for table in ("triplets", "metrics"):
        (part,) = parts_of(run, table)
        truncated(part)
    repair_run(run)
    lost = lost_of(resumed(run, settings), whole)
    assert lost == {"triplets": (1, CHECKPOINT), "metrics": (1, CHECKPOINT)}
    says_its_gaps_and_nothing_else(run, lost)


def test_parts_that_are_gone_unnoticed_are_told_when_the_run_goes_on(
    settings: dict[str, Any], whole: Path, killed: Path, tmp_path: Path
) -> None:
    """The last ones of a killed run, or what a disk full to the end never took: no hole is left."""
    run = shutil.copytree(killed, tmp_path / "run")
    for table in TABLES:
        for part in parts_to(run, table, 6, LAST):
            part.unlink()
    lost = lost_of(resumed(run, settings), whole)
    assert lost == BEFORE
    says_its_gaps_and_nothing_else(run, lost)
