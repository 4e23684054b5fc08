"""One writer a run, even across processes, and no lock outlives its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.log.synthetic import manifest, schema_of
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter
from vilora_analysis.log.lock import WriterLock

ROOT = Path(__file__).parents[2]
KNOWN = manifest()
SCHEMA = schema_of(KNOWN)
OPEN = """
import sys, time
from pathlib import Path
from tests.log.synthetic import manifest, schema_of
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter
known = manifest()
try:
    writer = LogWriter(Path(sys.argv[1]), known, triplets=schema_of(known))
except LogError as error:
    print(error)
else:
    print("open", flush=True)
    time.sleep(600)
"""


def open_elsewhere(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OPEN, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = open_elsewhere(tmp_path / "run")
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_second_writer_of_this_process_is_refused_with_its_pid(tmp_path: Path) -> None:
    first = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    with pytest.raises(LogError, match=rf"is being written by process {os.getpid()} on \S+ since"):
        LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    first.close("finished")
    with pytest.raises(LogError, match="holds a run already"):
        LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)


def test_a_second_writer_of_another_process_is_refused_with_our_pid(tmp_path: Path) -> None:
    first = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    with open_elsewhere(tmp_path / "run") as second:
        said, _ = second.communicate(timeout=50)
    first.close("finished")
    assert f"is being written by process {os.getpid()} on" in said
    assert "choose another directory" in said


def test_a_lock_dies_with_its_process_however_it_dies(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    lock = WriterLock(tmp_path / "run")
    with pytest.raises(LogError, match=f"process {holder.pid} on"):
        lock.acquire()
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=50)
    lock.acquire()
    with pytest.raises(LogError, match=f"process {os.getpid()} on"):  # not the dead one's pid
        WriterLock(tmp_path / "run").acquire()
    lock.release()


def test_release_leaves_nothing_that_looks_held(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    lock.acquire()
    lock.release()
    assert not (tmp_path / ".writer.json").exists()
    again = WriterLock(tmp_path)
    again.acquire()
    again.release()


@pytest.mark.parametrize("note", ["", "{", "[1]", '{"pid": 1}', None])
def test_a_holder_that_left_no_readable_note_is_another_process(
    tmp_path: Path, note: str | None
) -> None:
    lock = WriterLock(tmp_path)
    lock.acquire()
    if note is None:
        (tmp_path / ".writer.json").unlink()
    else:
        (tmp_path / ".writer.json").write_text(note)
    with pytest.raises(LogError, match="is being written by another process"):
        WriterLock(tmp_path).acquire()
    lock.release()


def test_a_lock_whose_note_cannot_be_written_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / ".writer.json").mkdir()
    failed = WriterLock(tmp_path)
    with pytest.raises(OSError, match="directory"):
        failed.acquire()
    (tmp_path / ".writer.json").rmdir()
    lock = WriterLock(tmp_path)
    lock.acquire()
    lock.release()
    del failed  # which would free it as well
