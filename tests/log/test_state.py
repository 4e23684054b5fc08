"""How far a run is, from its directory alone."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.log.synthetic import manifest, write_run
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter
from vilora_analysis.log.lock import WriterLock, is_held, run_lock
from vilora_analysis.log.state import ERROR_FILE, find_run_directories, run_state

CREATED = "2026-01-02T03:04:05+00:00"
FINISHED = "2026-01-02T04:04:05+00:00"

HOLD = """
import sys
from pathlib import Path
from vilora_analysis.log.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def leave(run: Path, **known: Any) -> Path:
    run.mkdir(exist_ok=True)
    manifest(created=CREATED, **known).save(run)
    return run


def leave_error(run: Path, text: str, after: str, seconds: float) -> None:
    run.mkdir(exist_ok=True)
    (run / ERROR_FILE).write_text(text)
    written = (datetime.fromisoformat(after) + timedelta(seconds=seconds)).timestamp()
    os.utime(run / ERROR_FILE, (written, written))


def test_nothing_is_absent(tmp_path: Path) -> None:
    assert run_state(tmp_path).state == "absent"
    assert run_state(tmp_path / "nowhere").state == "absent"


@pytest.mark.parametrize(
    ("status", "state"),
    [("finished", "finished"), ("failed", "failed"), ("running", "interrupted")],
)
def test_without_a_process_it_is_what_the_manifest_says(
    tmp_path: Path, status: Any, state: str
) -> None:
    found = run_state(leave(tmp_path / "run", status=status))
    assert (found.state, found.reason) == (state, "")
    assert found.manifest is not None


def test_a_process_that_writes_or_carries_it_out_is_running(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "run", manifest(), triplets=None)
    assert run_state(tmp_path / "run").state == "running"
    writer.close("finished")
    assert run_state(tmp_path / "run").state == "finished"
    with run_lock(tmp_path / "run", timeout=0):
        assert run_state(tmp_path / "run").state == "running"
    (tmp_path / "early").mkdir()
    with run_lock(tmp_path / "early", timeout=0):  # the model is being loaded
        assert run_state(tmp_path / "early").state == "running"


def test_when_the_process_is_killed_it_is_interrupted(tmp_path: Path) -> None:
    run = leave(tmp_path / "run")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert run_state(run).state == "running"
        holder.kill()
    assert run_state(run).state == "interrupted"


@pytest.mark.parametrize("status", ["running", "failed"])
def test_an_error_since_the_beginning_is_a_failure_and_its_first_line_the_reason(
    tmp_path: Path, status: Any
) -> None:
    run = leave(tmp_path / "run", status=status)
    leave_error(run, "no memory\nTraceback", CREATED, 1)
    assert (run_state(run).state, run_state(run).reason) == ("failed", "no memory")


def test_an_error_from_before_a_run_was_begun_anew_says_nothing(tmp_path: Path) -> None:
    run = leave(tmp_path / "run")
    leave_error(run, "no memory", CREATED, -1)
    assert run_state(run).state == "interrupted"


def test_an_error_from_before_a_run_was_finished_by_hand_says_nothing(tmp_path: Path) -> None:
    run = leave(tmp_path / "run", status="finished", finished=FINISHED)
    leave_error(run, "no memory", FINISHED, -1)
    assert run_state(run).state == "finished"
    leave_error(run, "adapter not saved", FINISHED, 0.5)
    assert (run_state(run).state, run_state(run).reason) == ("failed", "adapter not saved")


def test_a_run_may_fail_before_it_has_a_manifest(tmp_path: Path) -> None:
    leave_error(tmp_path / "run", "no model", CREATED, 0)
    found = run_state(tmp_path / "run")
    assert (found.state, found.reason, found.manifest) == ("failed", "no model", None)
    leave_error(tmp_path / "run", "", CREATED, 0)
    assert run_state(tmp_path / "run").reason == "no reason given"


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 99}', "\xff"])
def test_what_cannot_be_read_is_a_state_and_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, encoding="latin-1")
    found = run_state(tmp_path)
    assert found.state == "unreadable"
    assert "run.json" in found.reason
    assert "\n" not in found.reason


def test_steps_are_counted_without_opening_a_file(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", steps=range(1, 8), metrics=[(9, {"loss": 1.0})])
    assert run_state(run.path).steps == 9
    for part in run.path.glob("*/part-*.parquet"):
        part.write_bytes(b"")
    assert run_state(run.path).steps == 9


def test_to_ask_does_not_keep_a_writer_from_starting(tmp_path: Path) -> None:
    (tmp_path / ".writer.lock").touch()
    asking = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom pathlib import Path\nfrom vilora_analysis.log.lock import is_held\n"
            "print('asking', flush=True)\nwhile True: is_held(Path(sys.argv[1]))",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "asking\n"
        for _ in range(50):
            lock = WriterLock(tmp_path)
            lock.acquire()
            lock.release()
        asking.kill()


def test_to_ask_leaves_nothing_behind(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_not_ours_to_open_is_judged_by_its_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    lock = WriterLock(tmp_path)
    lock.acquire()
    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert is_held(tmp_path)
    (tmp_path / ".writer.json").unlink()
    assert not is_held(tmp_path)


def test_runs_are_found_at_any_depth_with_those_that_never_began(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        (tmp_path / name).mkdir(parents=True)
        leave(tmp_path / name)
    leave_error(tmp_path / "d", "no model", CREATED, 0)
    assert find_run_directories(tmp_path) == [tmp_path / name for name in ("a", "b/c", "d")]
    assert find_run_directories(tmp_path / "a") == [tmp_path / "a"]
    with pytest.raises(LogError, match="no directory"):
        find_run_directories(tmp_path / "nowhere")
