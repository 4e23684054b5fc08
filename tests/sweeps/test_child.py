"""The process of one run: it leaves a reason when it fails, and ends when its parent does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.log.synthetic import manifest
from tests.sweeps.helpers import ROOT, is_gone, lines, run_of, wait_until
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import LogWriter
from vilora_analysis.log.lock import is_held, run_lock
from vilora_analysis.log.state import ERROR_FILE
from vilora_analysis.sweeps import child

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "tests.sweeps.fake_child"], stdin=subprocess.PIPE,
                         start_new_session=True)
child.stdin.write(sys.argv[1].encode())
child.stdin.flush()
print(child.pid, flush=True)
time.sleep(600)
"""


def told(run: Path, seed: int = 0) -> str:
    return json.dumps({"fields": {"seed": seed}, "out": str(run)}) + "\n"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A run that this process is told to carry out as if it were the child."""
    monkeypatch.setattr(child, "_end_with_parent", lambda: None)
    monkeypatch.setattr(child, "_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(child, "_read_line", lambda: told(tmp_path / "run"))
    return tmp_path / "run"


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    run = run_of(tmp_path, 14)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, told(run, 14)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_until(lambda: len(lines(run, "work")) == 2)
        assert not is_gone(pid)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid))
    assert not (run / ERROR_FILE).exists()
    wait_until(lambda: not is_held(run))


def test_it_ends_if_nothing_is_ever_said() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vilora_analysis.sweeps.child"],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == child.EXIT_UNWANTED


def test_a_plain_error_leaves_its_line_and_where_it_was(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fields: object, directory: Path) -> None:
        raise ConfigError("no folder\nnowhere")

    monkeypatch.setattr(child, "_train", fail)
    assert child.main() == child.EXIT_FAILED
    text = (here / ERROR_FILE).read_text()
    assert text.splitlines()[0] == "no folder nowhere"
    assert "Traceback" in text


def test_any_other_error_leaves_its_type_too(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_train", lambda fields, directory: 1 / 0)
    assert child.main() == child.EXIT_FAILED
    assert lines(here, ERROR_FILE)[0] == "ZeroDivisionError: division by zero"


def test_an_old_error_goes_when_the_run_is_tried_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.mkdir()
    child.write_error(here, "long ago")
    monkeypatch.setattr(child, "_train", lambda fields, directory: None)
    assert child.main() == 0
    assert not (here / ERROR_FILE).exists()


def test_a_run_that_another_process_is_at_is_left_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_train", lambda fields, directory: pytest.fail("it was started"))
    here.mkdir()
    with run_lock(here, timeout=0):
        assert child.main() == child.EXIT_BUSY
    writer = LogWriter(here, manifest(), triplets=None)  # by hand: vilora train --out
    assert child.main() == child.EXIT_BUSY
    writer.close("finished")
    assert not (here / ERROR_FILE).exists()


def test_training_resumes_and_shows_no_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vilora_analysis.training import run

    seen = []
    monkeypatch.setattr(run, "train", lambda config, *, progress: seen.append((config, progress)))
    child._train({"seed": 7, "lr": 1}, tmp_path)
    ((config, progress),) = seen
    assert (config.seed, config.lr, config.out, config.resume) == (7, 1.0, tmp_path, True)
    assert progress is False
