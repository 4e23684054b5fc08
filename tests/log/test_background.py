"""Jobs in order, none dropped, errors told outside, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.log.synthetic import manifest, numbered_step, schema_of
from vilora_analysis.log import LogWriter, open_run
from vilora_analysis.log.background import Background, DroppedError

KNOWN = manifest()
SCHEMA = schema_of(KNOWN)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def background() -> Iterator[Background]:
    made = Background(3)
    yield made
    made.stop()


def test_jobs_are_done_in_order_by_one_other_thread(background: Background) -> None:
    done: list[tuple[int, str]] = []
    for at in range(50):
        background.submit(lambda at=at: done.append((at, threading.current_thread().name)))
    background.drain()
    assert done == [(at, "vilora log") for at in range(50)]


def test_whoever_hands_over_too_much_waits(background: Background) -> None:
    gate, done = threading.Event(), []
    for at in range(3):
        background.submit(lambda at=at: (gate.wait(30), done.append(at)))
    fourth = threading.Thread(target=background.submit, args=(lambda: done.append(3),))
    fourth.start()
    fourth.join(0.05)
    assert fourth.is_alive()
    assert not done
    gate.set()
    fourth.join(30)
    background.drain()
    assert done == [0, 1, 2, 3]


def test_a_job_that_fails_is_told_and_tried_again_before_the_next(background: Background) -> None:
    done: list[str] = []

    def fails_twice() -> None:
        done.append("try")
        if len(done) < 3:
            raise OSError(28, "full")

    background.submit(fails_twice)
    with pytest.raises(OSError, match="full"):
        background.drain()
    with pytest.raises(OSError, match="full"):
        background.drain()
    background.submit(lambda: done.append("next"))
    background.drain()
    assert done == ["try", "try", "try", "next"]


def test_a_job_that_must_not_be_done_again_is_told_and_gone(background: Background) -> None:
    def drops() -> None:
        raise DroppedError from ValueError("no numbers")

    background.submit(drops)
    with pytest.raises(ValueError, match="no numbers"):
        background.drain()
    background.drain()
    with pytest.raises(ValueError, match="no numbers"):
        Background(0).submit(drops)


def test_stopping_gives_up_what_waits_and_finishes_what_is_in_hand(background: Background) -> None:
    begun, gate, done = threading.Event(), threading.Event(), []
    background.submit(lambda: (begun.set(), gate.wait(30), done.append(0)))
    background.submit(lambda: done.append(1))
    begun.wait(30)
    threading.Timer(0.05, gate.set).start()
    background.stop()
    assert done == [0]


def test_an_error_that_passed_by_itself_is_not_told_at_the_end(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA, flush_seconds=0.0, depth=3)
    failed = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        real = os.replace

        def once(source: Path, target: Path) -> None:
            if not failed.is_set():
                failed.set()
                raise OSError(5, "Input/output error")
            real(source, target)

        patch.setattr(os, "replace", once)
        log.triplets(*numbered_step(KNOWN, 1))
        log._hand_over_all()
        while not log._background._failed:
            time.sleep(0.001)
        log.close("finished")
    assert open_run(log.directory).steps.tolist() == [1]


def test_a_forked_process_writes_nothing_and_does_not_hang(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA, depth=3)
    log.triplets(*numbered_step(KNOWN, 1))
    log.flush()
    log.triplets(*numbered_step(KNOWN, 2))
    child = os.fork()
    if not child:
        log.triplets(*numbered_step(KNOWN, 3))
        log.flush()
        log.close("failed")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert open_run(log.directory).steps.tolist() == [1]
    log.close("finished")
    assert open_run(log.directory).steps.tolist() == [1, 2]
    assert open_run(log.directory).manifest.status == "finished"


ENDS = """
import atexit, sys
from pathlib import Path
from tests.log.synthetic import manifest, numbered_step, schema_of
from vilora_analysis.log import LogWriter
known = manifest()
log = LogWriter(Path(sys.argv[1]), known, triplets=schema_of(known), depth=3)
atexit.register(log.flush)
if sys.argv[2] == "busy":
    log.triplets(*numbered_step(known, 1))
    log.flush()
log.triplets(*numbered_step(known, 2))
raise KeyboardInterrupt if sys.argv[2] == "busy" else SystemExit(3)
"""


@pytest.mark.parametrize(("kind", "steps"), [("busy", [1, 2]), ("idle", [2])])
def test_what_is_buffered_when_a_script_ends_is_written(
    tmp_path: Path, kind: str, steps: list[int]
) -> None:
    command = [sys.executable, "-c", ENDS, str(tmp_path / "run"), kind]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert open_run(tmp_path / "run").steps.tolist() == steps
