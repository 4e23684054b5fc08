"""Whatever fails, and at whatever instant, what has its name is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.log.synthetic import (
    manifest,
    numbered_step,
    parts_of,
    schema_of,
    write_run,
)
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, check_run, open_run, writer

ROOT = Path(__file__).parents[2]
KNOWN = manifest()
SCHEMA = schema_of(KNOWN)
N_TRIPLETS = KNOWN.n_triplets


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def raising(*_: object) -> None:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_whole_parts_and_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    log.triplets(*numbered_step(KNOWN, 1))
    log.flush()
    log.triplets(*numbered_step(KNOWN, 2))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, raising)
        with pytest.raises(LogError, match=r"cannot write .*: Input/output error; .* stays whole"):
            log.flush()
    assert [name[0] for name in names_in(log.directory / "triplets")] == ["p"]
    assert open_run(log.directory).steps.tolist() == [1]
    assert check_run(log.directory) == []

    log.triplets(*numbered_step(KNOWN, 3))  # the disk is well again: nothing is lost, nothing twice
    log.close("finished")
    assert open_run(log.directory).steps.tolist() == [1, 2, 3]
    assert [part.name for part in parts_of(log.directory)] == [
        "part-000000-000000001-000000001.parquet",
        "part-000001-000000002-000000003.parquet",
    ]


def test_a_failing_disk_when_the_buffer_is_full_loses_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_ROWS_PER_PART", 2 * N_TRIPLETS)
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    log.triplets(*numbered_step(KNOWN, 1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", raising)
        with pytest.raises(LogError, match=r"cannot write .*: Input/output error; .* stays whole"):
            log.triplets(*numbered_step(KNOWN, 2))
    log.triplets(*numbered_step(KNOWN, 3))
    log.close("finished")
    assert open_run(log.directory).steps.tolist() == [1, 2, 3]


def test_a_failing_disk_on_closing_still_gives_the_directory_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    log.triplets(*numbered_step(KNOWN, 1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", raising)
        with pytest.raises(LogError, match=r"cannot write .*: Input/output error; .* stays whole"):
            log.close("finished")
    with pytest.raises(LogError, match="holds a run already"):  # and not: is being written
        LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)


def test_every_byte_is_on_disk_before_a_file_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, int] = {}
    named: dict[str, tuple[int, int]] = {}
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        fsync(descriptor)
        synced[os.fstat(descriptor).st_ino] = os.fstat(descriptor).st_size

    def watched_replace(source: Path, target: Path) -> None:
        inode = source.stat().st_ino
        named[Path(target).name] = (synced[inode], source.stat().st_size)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    run = write_run(tmp_path / "run", metrics=[(1, {"loss": 1.0})], flush_after=(2,)).path
    assert {"run.json", *(part.name for part in parts_of(run))} <= named.keys()
    assert all(on_disk == size > 0 for on_disk, size in named.values()), named
    directories = {run.stat().st_ino, (run / "triplets").stat().st_ino}
    assert directories <= synced.keys()  # the names themselves, too


# Kills itself before its first, second, ... call that makes something durable, until none is left.
KILLED_EVERYWHERE = """
import os, signal, sys
from pathlib import Path
from tests.log.synthetic import numbered_step, decision, write_run

real = {"fsync": os.fsync, "replace": os.replace}
seen = 0

def deadly(name, limit):
    def call(*args):
        global seen
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        return real[name](*args)
    return call

limit = 0
while True:
    child = os.fork()
    if not child:
        os.fsync, os.replace = deadly("fsync", limit), deadly("replace", limit)
        write_run(Path(sys.argv[1]) / f"{limit:03d}", steps=range(1, 7), flush_after=(2, 4),
                  events=[decision(3)])
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
    limit += 1
"""


def test_killed_at_any_instant_what_has_its_name_is_whole(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_EVERYWHERE, tmp_path], cwd=ROOT, check=True)
    complete = write_run(tmp_path / "undisturbed", steps=range(1, 7))
    recorded = []
    *killed, undisturbed = sorted(tmp_path.glob("[0-9]*"))
    assert len(killed) > 12
    for path in killed:
        if not (path / "run.json").exists():
            assert not list(path.glob("*/part-*"))
            LogWriter(path, KNOWN, triplets=SCHEMA).close("finished")  # the place is free
            continue
        run = open_run(path)
        steps = run.steps.tolist()
        assert steps == list(range(1, len(steps) + 1))
        assert len(steps) % 2 == 0
        for block in run.blocks(["score.snr"]):
            expected = complete.values["score.snr"][block.steps - 1]
            assert block.values["score.snr"].tobytes() == expected.tobytes()
        problems = check_run(path)
        assert all(problem.path.name.startswith(".") for problem in problems), problems
        leftovers = list(path.rglob(".*.tmp"))
        assert sorted(p.path for p in problems) == sorted(leftovers)
        assert len(leftovers) <= 1
        json.loads((path / "run.json").read_text())
        recorded.append(len(steps))
    assert set(recorded) == {0, 2, 4, 6}
    assert recorded == sorted(recorded)
    assert check_run(undisturbed) == []
