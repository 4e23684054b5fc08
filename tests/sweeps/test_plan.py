"""What is still to do, from what is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.log.synthetic import manifest
from tests.sweeps.helpers import grid_of, run_of
from vilora_analysis.errors import ConfigError
from vilora_analysis.log.lock import run_lock
from vilora_analysis.sweeps.child import write_error
from vilora_analysis.sweeps.plan import plan_sweep


def leave(root: Path, seed: int, **known: Any) -> Path:
    """Leave a run of a seed on disk, with its own configuration."""
    cell = grid_of(root, seed).cells[0]
    cell.path.mkdir(parents=True)
    manifest(**{"config": cell.config.as_dict(), **known}).save(cell.path)
    return cell.path


def to_run(root: Path, *seeds: int, **options: Any) -> list[int]:
    plan = plan_sweep(grid_of(root, *seeds), **options)
    return [cell.config.seed for cell in plan.to_run]


def test_only_what_is_neither_finished_nor_at_work_nor_failed_is_to_run(tmp_path: Path) -> None:
    leave(tmp_path, 0, status="finished", finished="2026-01-02T04:00:00+00:00")
    write_error(leave(tmp_path, 1), "no memory")
    leave(tmp_path, 2)
    with run_lock(leave(tmp_path, 3), timeout=0):
        assert to_run(tmp_path, 0, 1, 2, 3, 4) == [2, 4]
        assert to_run(tmp_path, 0, 1, 2, 3, 4, retry_failed=True) == [1, 2, 4]
        plan = plan_sweep(grid_of(tmp_path, 0, 1, 2, 3, 4))
    assert [found.state for _, found in plan.states] == [
        "finished",
        "failed",
        "interrupted",
        "running",
        "absent",
    ]
    assert [found.reason for _, found in plan.having("failed")] == ["no memory"]


def test_an_unreadable_run_is_left_alone(tmp_path: Path) -> None:
    (leave(tmp_path, 0) / "run.json").write_text("{")
    assert to_run(tmp_path, 0, 1, retry_failed=True) == [1]


@pytest.mark.parametrize("status", ["finished", "running", "failed"])
def test_a_run_of_another_configuration_stops_the_sweep_before_it_starts(
    tmp_path: Path, status: str
) -> None:
    leave(tmp_path, 0, status=status)
    grid = grid_of(tmp_path, 0, 1, fixed={"steps": 60})
    with pytest.raises(
        ConfigError, match=r"snr-0 holds a run of another .*\(.*steps: 600 there, 60"
    ):
        plan_sweep(grid)
    leave(tmp_path, 1, status=status)
    with pytest.raises(ConfigError, match="and 1 more like it; choose another out"):
        plan_sweep(grid)


def test_where_the_data_lay_makes_no_other_run(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, 0, fixed={"task": "rte", "data_dir": "here"})
    cell = grid.cells[0]
    cell.path.mkdir(parents=True)
    manifest(config=cell.config.as_dict()).save(cell.path)
    moved = grid_of(tmp_path, 0, fixed={"task": "rte", "data_dir": "there"})
    assert len(plan_sweep(moved).to_run) == 1


def test_a_setting_that_an_older_version_did_not_know_makes_no_other_run(tmp_path: Path) -> None:
    cell = grid_of(tmp_path, 0).cells[0]
    cell.path.mkdir(parents=True)
    manifest(config={"seed": 0}, status="finished").save(run_of(tmp_path, 0))
    assert to_run(tmp_path, 0) == []
