"""A disk that fails while a run is recorded: what is there stays whole, and what is not is said."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count as counted
from pathlib import Path
from typing import Any

import pytest

from tests.faults.disk import (
    KNOWN,
    SCHEMA,
    STEPS,
    Disk,
    all_are_there_or_said,
    calls_of_opening,
    is_sound,
    one_warning,
    record,
    steps_read,
)
from tests.faults.soak import SOAK
from tests.log.synthetic import numbered_step
from vilora_analysis.errors import LogError, ScoreError
from vilora_analysis.log import LogWriter, Manifest, buffers, open_run
from vilora_analysis.log.gaps import explains
from vilora_analysis.log.parts import Part, list_parts

SWEEPS = {
    "once": lambda n: lambda call: call == n,
    "from then on": lambda n: lambda call: call >= n,
    "for a while": lambda n: lambda call: n <= call < n + 5,
}


WAYS = [
    ("once", "warn", 4),
    ("from then on", "raise", 4),
    ("once", "raise", 4),
    ("from then on", "warn", 4),
    ("for a while", "warn", 4),
    ("for a while", "raise", 4),
]


@pytest.mark.parametrize(
    ("lasting", "on_error", "depth"),
    [*WAYS, *((how, on_error, 0) for how, on_error, _ in WAYS)] if SOAK else WAYS[:2],
)
def test_a_failure_at_every_single_call(
    tmp_path: Path, lasting: str, on_error: str, depth: int
) -> None:
    cases = told = 0
    opening = calls_of_opening(tmp_path / "opened")
    for n in counted(1):
        run = tmp_path / str(n)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            disk = Disk(patch, SWEEPS[lasting](n))
            error = ""
            try:
                record(run, every=4, on_error=on_error, depth=depth)
            except LogError as raised:
                error = str(raised)
        if disk.calls < n:
            break  # nothing failed: every call was tried
        cases += 1
        told += len(caught)
        assert len(caught) <= 1, [str(warning.message) for warning in caught]
        if not (run / "run.json").exists():  # it could not be opened, which is an error always
            assert error
            assert not list(run.glob("*/part-*"))
            continue
        is_sound(run)
        opened = n > opening
        if error:
            assert str(run) in error
            assert "Remedy: free some space" in error or not opened
            assert on_error == "raise" or not opened
            there = steps_read(run)
            assert there == list(range(1, len(there) + 1))
        elif Manifest.load(run).status == "running":  # its end, and so the gap, cannot be written
            there = steps_read(run)
            assert there == list(range(1, len(there) + 1))
        else:
            all_are_there_or_said(run)
    print(f"{cases} calls failed {lasting}, on_error={on_error}, depth {depth}: {told} warnings")
    assert cases >= 25
    assert (told > 15) == (on_error == "warn")


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """The real thing: RLIMIT_FSIZE of this process, for the middle of the run."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def between(step: int) -> None:
        limit = 100 if 3 <= step <= 4 else limits[0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))

    try:
        with pytest.raises(LogError, match=r"File too large.*Remedy: .*ulimit -f"):
            record(tmp_path / "raise", between, depth=4)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        with one_warning():
            record(tmp_path / "warn", between, on_error="warn", depth=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for name, there in {"raise": [1, 2], "warn": [1, 2, 5, 6, 7, 8]}.items():
        is_sound(tmp_path / name)
        assert steps_read(tmp_path / name) == there
    gaps = Manifest.load(tmp_path / "warn").gaps
    assert {(g.table, g.first, g.last) for g in gaps} == {
        ("metrics", 3, 4),
        ("events", 3, 3),
        ("triplets", 3, 4),
    }
    assert {gap.reason for gap in gaps} == {"File too large"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 1 MB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if not hasattr(os, "getuid") or os.getuid() or not shutil.which("mount"):
        pytest.skip("only root mounts a file system")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def filled(place: Path) -> Callable[[int], None]:
    """Fill a disk to the last byte before step 3, and make room before step 5."""

    def between(step: int) -> None:
        if step == 3:
            with (place / "filling").open("wb", buffering=0) as file, suppress(OSError):
                while file.write(b"0" * 4096):
                    pass
        elif step == 5:
            (place / "filling").unlink()

    return between


def test_a_disk_that_is_full(small_disk: Path) -> None:
    with one_warning() as caught:
        record(small_disk / "warn", filled(small_disk), on_error="warn", depth=4)
    assert str(small_disk / "warn") in str(caught[0].message)
    is_sound(small_disk / "warn")
    all_are_there_or_said(small_disk / "warn")
    assert steps_read(small_disk / "warn") == [1, 2, 5, 6, 7, 8]

    with pytest.raises(LogError, match=r"No space left.*Remedy: free some space") as raised:
        record(small_disk / "raise", filled(small_disk), depth=4)
    assert str(small_disk / "raise") in str(raised.value)
    is_sound(small_disk / "raise")
    assert steps_read(small_disk / "raise") == [1, 2]


def unexplained(run: Path) -> list[tuple[str, int]]:
    """Steps before the last one of a table that are not there, and that no gap names."""
    gaps, missing = Manifest.load(run).gaps, []
    for table in ("triplets", "metrics"):
        parts = list_parts(run / table)
        there = {step for part in parts for step in range(part.first, part.last + 1)}
        due = set(range(1, max(there, default=0))) - there
        missing += [(table, step) for step in due if not explains(gaps, table, step, step)]
    return missing


def test_a_gap_is_on_disk_before_any_part_behind_it(tmp_path: Path) -> None:
    """Parts are numbered on: of a process killed in between nothing else would tell."""
    run, at, hidden, written = tmp_path / "run", [0], [], []
    save, write_part = Manifest.save, buffers.write_part

    def saved(manifest: Manifest, folder: Path) -> None:
        if 3 <= at[0] <= 7:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        save(manifest, folder)

    def parted(*args: Any) -> Part:
        if 3 <= at[0] <= 6:  # the manifest cannot be written for longer
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = write_part(*args)
        written.append(at[0])
        hidden.extend(unexplained(run))
        return part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Manifest, "save", saved)
        patch.setattr(buffers, "write_part", parted)
        with one_warning():
            record(run, lambda step: at.__setitem__(0, step), every=1, on_error="warn")
    assert hidden == []
    assert {1, 2, 8} == {*written}
    assert steps_read(run) == [1, 2, 8]
    all_are_there_or_said(run)
    is_sound(run)


def test_a_gap_that_cannot_be_said_stops_its_own_table_only(tmp_path: Path) -> None:
    run = tmp_path / "run"
    log = LogWriter(run, KNOWN, triplets=SCHEMA, on_error="warn")

    def denied(manifest: Manifest, folder: Path) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        patch.setattr(Manifest, "save", denied)
        for step in range(1, STEPS + 1):
            log.metrics(step, {"loss": float(step)})
            if step == 3:
                log.skip(3, ScoreError("not a number"))
            else:
                log.triplets(*numbered_step(KNOWN, step))
            log.flush()
    log.close("finished")
    assert len(caught) == 2  # of the numbers, and of the manifest
    assert {(g.table, g.first, g.last) for g in Manifest.load(run).gaps} == {("triplets", 3, 8)}
    assert open_run(run).metrics()["loss"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    assert steps_read(run) == [1, 2]
    is_sound(run)


def deleted(run: Path, step: int) -> None:
    if step == 3:
        shutil.rmtree(run)


def renamed(run: Path, step: int) -> None:
    if step == 3:
        run.rename(run.with_name("moved"))
    if step == 5:
        run.with_name("moved").rename(run)


def replaced(run: Path, step: int) -> None:
    """Somebody moves the run away, and starts another in its place."""
    if step == 3:
        run.rename(run.with_name("moved"))
        record(run)


@pytest.mark.parametrize("fault", [deleted, renamed, replaced])
def test_the_folder_goes_under_the_run(tmp_path: Path, fault: Callable[[Path, int], None]) -> None:
    told = r"deleted, renamed or replaced under the run\. Remedy: put the folder back"
    with pytest.raises(LogError, match=told):
        record(tmp_path / "raise" / "run", lambda step: fault(tmp_path / "raise" / "run", step))
    warned = tmp_path / "warn" / "run"
    with one_warning() as caught:
        record(warned, lambda step: fault(warned, step), on_error="warn", depth=4)
    assert str(warned) in str(caught[0].message)
    if fault is deleted:
        assert not warned.exists()  # nothing half is put in its place
    elif fault is renamed:
        is_sound(warned)
        all_are_there_or_said(warned)
        assert steps_read(warned) == [1, 2, 5, 6, 7, 8]
    else:  # the other's run is its own, and ours has what it had
        is_sound(warned)
        assert steps_read(warned) == list(range(1, STEPS + 1))
        assert Manifest.load(warned).gaps == ()
        assert steps_read(warned.with_name("moved")) == [1, 2]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT])
def test_other_errors_of_the_system(tmp_path: Path, number: int) -> None:
    """Read-only, permission lost (root ignores permissions, so by what the system says), others."""
    with pytest.MonkeyPatch.context() as patch:
        Disk(patch, lambda call: call > 20, number)
        with pytest.raises(LogError, match=rf"{os.strerror(number)}.*Remedy: \w+"):
            record(tmp_path / "run", depth=4)
    is_sound(tmp_path / "run")
