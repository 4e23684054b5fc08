"""What a worker makes of a child's end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sweeps.helpers import fake_command, grid_of, is_gone, lines
from vilora_analysis.log.state import ERROR_FILE, run_state
from vilora_analysis.sweeps import execute
from vilora_analysis.sweeps.child import EXIT_UNWANTED
from vilora_analysis.sweeps.execute import OUTPUT_FILE, Outcome, run_cell

REAL_COMMAND = execute._command()


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "_command", fake_command)
    monkeypatch.setattr(execute, "_SETTLE_SECONDS", 0)
    monkeypatch.setattr(execute, "_POLL_SECONDS", 0.05)
    monkeypatch.setenv("PYTHONPATH", "")


def outcome(root: Path, seed: int) -> Outcome:
    return run_cell(grid_of(root, seed).cells[0])


def python(*words: str) -> list[str]:
    return [sys.executable, "-c", *words]


def test_a_run_that_finishes_gives_its_main_metric(tmp_path: Path) -> None:
    found = outcome(tmp_path, 0)
    assert (found.state, found.metric, found.value) == ("finished", "accuracy", 0.75)
    assert found.seconds > 0
    run = grid_of(tmp_path, 0).cells[0].path
    assert run_state(run).state == "finished"
    assert (run / OUTPUT_FILE).exists()


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (10, "nothing to adapt"),
        (11, "RuntimeError: no more [memory]"),
        (12, f"killed by SIGSEGV, see {OUTPUT_FILE}"),
    ],
)
def test_a_run_that_fails_says_why_here_and_on_disk(tmp_path: Path, seed: int, reason: str) -> None:
    found = outcome(tmp_path, seed)
    assert (found.state, found.reason) == ("failed", reason)
    run = grid_of(tmp_path, seed).cells[0].path
    assert lines(run, ERROR_FILE)[0] == reason
    assert (run_state(run).state, run_state(run).reason) == ("failed", reason)


def test_a_child_that_cannot_even_begin_points_to_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "_command", lambda: python("import sys; sys.exit('no')"))
    found = outcome(tmp_path, 0)
    assert (found.state, found.reason) == ("failed", f"ended with exit status 1, see {OUTPUT_FILE}")
    run = grid_of(tmp_path, 0).cells[0].path
    assert lines(run, OUTPUT_FILE) == ["no"]
    assert lines(run, ERROR_FILE) == [found.reason]


def test_a_directory_that_cannot_be_made_is_a_failure_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    found = outcome(tmp_path, 0)
    assert found.state == "failed"
    assert "cannot start the run in" in found.reason


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_to_be_asked_to_stop_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    die = f"signal.signal({number}, signal.SIG_DFL); os.kill(os.getpid(), {number})"
    script = f"import os, signal; {die}"
    monkeypatch.setattr(execute, "_command", lambda: python(script))
    found = outcome(tmp_path, 0)
    assert (found.state, found.reason) == ("interrupted", f"asked to stop by {number.name}")
    assert not (grid_of(tmp_path, 0).cells[0].path / ERROR_FILE).exists()


def test_to_be_killed_is_one_and_memory_the_first_suspect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(execute, "_command", lambda: python(script))
    found = outcome(tmp_path, 0)
    assert (found.state, found.reason) == ("failed", "killed by SIGKILL (out of memory?)")


def test_a_run_that_is_no_longer_wanted_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = grid_of(tmp_path, 14).cells[0].path
    # until it hangs half-way
    monkeypatch.setattr(execute, "_wanted", lambda: lambda: len(lines(run, "work")) < 2)
    found = outcome(tmp_path, 14)
    assert (found.state, found.reason) == ("interrupted", "no longer wanted")
    assert is_gone(int(lines(run, "starts")[0]))
    assert run_state(run).state == "interrupted"
    assert not (run / ERROR_FILE).exists()


def test_threads_are_those_asked_for_and_do_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    made = execute._environment(3, {"CUDA_VISIBLE_DEVICES": "5"})
    assert made["OMP_NUM_THREADS"] == made["MKL_NUM_THREADS"] == "3"
    assert (made["OMP_WAIT_POLICY"], made["CUDA_VISIBLE_DEVICES"]) == ("PASSIVE", "5")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    left = execute._environment(None, {})
    assert (left["OMP_NUM_THREADS"], left["OMP_WAIT_POLICY"]) == ("1", "ACTIVE")


def test_the_real_child_imports_nothing_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "filelock.py").write_text("raise SystemExit('shadowed')")
    done = subprocess.run(REAL_COMMAND, stdin=subprocess.DEVNULL, cwd=tmp_path, check=False)
    assert done.returncode == EXIT_UNWANTED
