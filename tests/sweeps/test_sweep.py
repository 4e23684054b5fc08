"""Whole sweeps: what is finished stays, what is killed goes on, and nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import psutil
import pytest

from tests.sweeps.helpers import ROOT, grid_of, is_gone, lines, run_of, wait_until
from vilora_analysis.log.state import run_state
from vilora_analysis.sweeps.cluster import Cluster
from vilora_analysis.sweeps.execute import Outcome
from vilora_analysis.sweeps.plan import plan_sweep
from vilora_analysis.sweeps.sweep import _outcome, run_sweep

WORK = [f"step {step}" for step in range(4)]
HANGS, HANGS_TWICE = 14, 15


def sweep(
    cluster: Cluster, root: Path, *seeds: int, retry_failed: bool = False
) -> dict[int, Outcome]:
    """Outcomes by seed of what was not done before."""
    told: list[tuple[int, int]] = []
    plan = plan_sweep(grid_of(root, *seeds), retry_failed=retry_failed)
    outcomes = run_sweep(plan.to_run, cluster, lambda _, done, count: told.append((done, count)))
    assert told == [(i + 1, len(plan.to_run)) for i in range(len(plan.to_run))]
    return {int(outcome.name.rpartition("-")[2]): outcome for outcome in outcomes}


def assert_done_once(run: Path) -> None:
    assert run_state(run).state == "finished"
    assert lines(run, "work") == WORK
    assert len(lines(run, "ends")) == 1


def test_finished_runs_are_skipped_and_failed_ones_wait_to_be_asked_for(
    cluster: Cluster, tmp_path: Path
) -> None:
    first = sweep(cluster, tmp_path, 0, 10, 11)
    assert {seed: found.state for seed, found in first.items()} == {
        0: "finished",
        10: "failed",
        11: "failed",
    }
    assert sweep(cluster, tmp_path, 0, 10, 11) == {}
    assert set(sweep(cluster, tmp_path, 0, 1, 10)) == {1}
    (tmp_path / "mended").touch()
    retried = sweep(cluster, tmp_path, 0, 10, retry_failed=True)
    assert {seed: found.state for seed, found in retried.items()} == {10: "finished"}
    assert [len(lines(run_of(tmp_path, seed), "starts")) for seed in (0, 1, 10)] == [1, 1, 2]
    for seed in (0, 1, 10):
        assert_done_once(run_of(tmp_path, seed))


def test_a_run_that_is_asked_to_stop_is_handed_out_again(cluster: Cluster, tmp_path: Path) -> None:
    assert sweep(cluster, tmp_path, 13)[13].state == "finished"
    assert len(lines(run_of(tmp_path, 13), "starts")) == 2
    assert_done_once(run_of(tmp_path, 13))


def test_a_run_whose_worker_is_killed_goes_on_with_another(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path, HANGS)
    outcomes: dict[int, Outcome] = {}
    at_work = Thread(target=lambda: outcomes.update(sweep(cluster, tmp_path, HANGS, 2)))
    at_work.start()
    wait_until(lambda: len(lines(run, "work")) == 2)
    child = psutil.Process(int(lines(run, "starts")[0]))
    os.kill(child.ppid(), signal.SIGKILL)
    at_work.join(120)
    assert {seed: found.state for seed, found in outcomes.items()} == {
        2: "finished",
        14: "finished",
    }
    assert is_gone(child.pid)
    assert len(lines(run, "starts")) == 2
    for seed in (2, HANGS):
        assert_done_once(run_of(tmp_path, seed))


def test_what_is_called_off_ends_though_its_worker_lives_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path, HANGS)

    def interrupt(*_: object) -> None:
        wait_until(lambda: len(lines(run, "work")) == 2)
        raise KeyboardInterrupt

    cluster.client.wait_for_workers(2, timeout=60)  # after the test before
    workers = cluster.client.run(os.getpid)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(grid_of(tmp_path, 0, HANGS).cells, cluster, interrupt)
    wait_until(lambda: is_gone(int(lines(run, "starts")[0])))
    wait_until(lambda: run_state(run).state == "interrupted")
    assert cluster.client.run(os.getpid) == workers
    assert sweep(cluster, tmp_path, 0, HANGS)[HANGS].state == "finished"
    assert_done_once(run)


class Ended:
    """A future as Dask leaves it where no worker returned anything."""

    def __init__(self, status: str, error: Exception | None = None) -> None:
        self.status = status
        self.exception = lambda: error


def test_what_no_worker_could_return_is_an_outcome_too(tmp_path: Path) -> None:
    cell = grid_of(tmp_path, 0).cells[0]
    killed = _outcome(Ended("error", MemoryError("worker\ndied 4 times")), cell)
    assert (killed.state, killed.reason) == ("failed", "MemoryError: worker died 4 times")
    lost = _outcome(Ended("cancelled"), cell)
    assert (lost.state, lost.reason) == ("interrupted", "the scheduler has gone")


def command(root: Path) -> subprocess.Popen[str]:
    """``vilora sweep`` in a process of its own, on a quick run and one that hangs twice."""
    (root / "my.toml").write_text(f'out = "runs"\n[grid]\nseed = [0, {HANGS_TWICE}]\n')
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DASK_DISTRIBUTED__WORKER__PRELOAD": '["tests.sweeps.preload"]',
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sweeps.command", "sweep", "my.toml", "--gpus", "0"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def hang(process: subprocess.Popen[str], run: Path, start: int) -> list[int]:
    """Wait until the run hangs for the so-manieth time; ids of all processes below the command."""
    wait_until(lambda: len(lines(run, "starts")) == start and len(lines(run, "work")) == 2)
    below = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert int(lines(run, "starts")[-1]) in below
    return below


def test_when_all_of_it_ends_nothing_stays_behind_and_the_same_command_goes_on(
    tmp_path: Path,
) -> None:
    run = run_of(tmp_path, HANGS_TWICE)
    with command(tmp_path) as process:
        below = hang(process, run, 1)
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does on Ctrl-C
        said, _ = process.communicate(timeout=120)
    wait_until(lambda: all(is_gone(pid) for pid in below))
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted with 1 of 2 runs ended; the same command goes on"
    assert "Traceback" not in said
    wait_until(lambda: run_state(run).state == "interrupted")

    with command(tmp_path) as process:
        below = hang(process, run, 2)
        for pid in (process.pid, *below):
            with contextlib.suppress(ProcessLookupError):  # it ended with the one before
                os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(is_gone(pid) for pid in below))
    wait_until(lambda: run_state(run).state == "interrupted")

    with command(tmp_path) as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said.splitlines()[0] == "2 runs in runs: 1 finished before, 1 to run"
    assert said.splitlines()[1].startswith("[1/1] acceptability-adalora-ivon-snr-15  finished")
    assert said.splitlines()[-1] == "2 finished"
    for seed in (0, HANGS_TWICE):
        assert_done_once(run_of(tmp_path, seed))
