"""Runs in an object store are those on disk, to the bit, whatever goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import vilora_analysis as va
from tests.log.object_store import BUCKET, Asked, Store, serving, upload
from tests.log.synthetic import decision, write_run
from vilora_analysis.cli import main
from vilora_analysis.errors import LogError
from vilora_analysis.log import (
    check_run,
    compact_run,
    find_runs,
    open_run,
    open_runs,
    run_digest,
    run_directories,
    store_lock,
)
from vilora_analysis.log.lock import WriterLock, is_held
from vilora_analysis.log.parts import list_parts, replace_bytes
from vilora_analysis.log.places import as_place
from vilora_analysis.log.ranged import RangeFile
from vilora_analysis.log.state import run_state

pytest.importorskip("s3fs")
pytest.importorskip("moto")

NAMES = ("snr", "mean_abs", "sensitivity", "inverse_std")
TABLES = ("triplets", "events", "metrics")
WRITTEN: dict[str, Any] = {
    "steps": range(1, 7),
    "scores": NAMES,
    "flush_after": (2, 4),
    "events": [decision(3), decision(6)],
}


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with serving() as store:
        yield store


@pytest.fixture
def store(server: Store) -> Iterator[Store]:
    server.calm()
    yield server
    server.calm()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("here") / "sst2", **WRITTEN).path


@pytest.fixture(scope="module")
def remote(server: Store, local: Path) -> str:
    url = f"s3://{BUCKET}/read/sst2"
    upload(local, as_place(url))
    return url


def assert_same(there: Any, here: Any) -> None:
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(there, table)(), getattr(here, table)())
    np.testing.assert_array_equal(there.steps, here.steps)
    assert there.columns == here.columns


def is_part(asked: Asked) -> bool:
    return "part-" in asked.path and asked.method == "GET"


def test_a_run_of_a_store_is_the_one_on_disk(store: Store, local: Path, remote: str) -> None:
    there, here = open_run(remote), open_run(local)
    assert (there.name, str(there.path)) == ("sst2", remote)
    assert_same(there, here)
    assert run_digest(there.path) == run_digest(here.path)
    for ours, theirs in zip(here.blocks(["score.snr"]), there.blocks(["score.snr"]), strict=True):
        np.testing.assert_array_equal(ours.values["score.snr"], theirs.values["score.snr"])
    assert check_run(remote) == []
    assert va.open_run(remote).audits["health"].question


def test_runs_are_found_below_a_folder_of_a_store(store: Store, local: Path, remote: str) -> None:
    folder = f"s3://{BUCKET}/read"
    assert open_runs(folder).names == ("sst2",)
    assert [str(path) for path in run_directories([folder])] == [remote]
    assert [run.name for run in find_runs(folder)] == ["sst2"]
    assert run_state(as_place(remote)).state == "finished"
    assert open_runs(Path(folder), local).names == ("read/sst2", f"{local.parent.name}/sst2")


@pytest.mark.parametrize("words", [("runs",), ("check",)])
def test_commands_read_urls(
    words: tuple[str, ...], store: Store, remote: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, f"s3://{BUCKET}/read"]) == 0
    said = capsys.readouterr()
    assert "sst2" in said.out
    assert not said.err


def test_commands_write_here_only(
    store: Store, remote: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["analyze", remote, "--out", f"s3://{BUCKET}/out"]) == 2
    assert "--out needs a folder of this machine" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_three_columns_cost_three_columns(store: Store, tmp_path: Path) -> None:
    """Of 34 columns; what comes beside them is the footer, and the checksums, once."""
    inputs = ("mu", "sigma", "grad", "hess")
    here = write_run(tmp_path / "wide", steps=range(1, 401), scores=NAMES, inputs=inputs).path
    upload(here, as_place(f"s3://{BUCKET}/wide"))
    run = open_run(f"s3://{BUCKET}/wide")
    part = list_parts(run.path / "triplets")[0]
    size = part.path.stat().st_size
    columns = ["score.snr", "score.mean_abs", "mu_E"]
    store.asked.clear()
    frame = run.triplets(columns)
    pd.testing.assert_frame_equal(frame, open_run(here).triplets(columns))
    of_parts = [asked for asked in store.asked if is_part(asked)]
    fetched = sum(asked.sent for asked in of_parts)
    own, ending = _bytes_of(here, ["step", *columns])
    print(
        f"{len(run.columns)} columns, {size} bytes; {fetched} fetched, {own} of columns, {ending=}"
    )
    assert own <= fetched <= own + max(2**16, ending) + 2**13
    assert fetched < 0.3 * size
    assert len(of_parts) == 1 + 3  # the footer, then each column; the step is near one of them


def _bytes_of(run: Path, columns: list[str]) -> tuple[int, int]:
    """Bytes of some columns, and from the last column on to the end of the file."""
    file = next((run / "triplets").glob("*.parquet"))
    group = pq.read_metadata(file).row_group(0)
    chunks = [group.column(at) for at in range(group.num_columns)]
    every = sum(chunk.total_compressed_size for chunk in chunks)
    own = sum(c.total_compressed_size for c in chunks if c.path_in_schema in columns)
    return own, file.stat().st_size - every


def test_parts_are_listed_once(store: Store, remote: str) -> None:
    folder = as_place(remote) / "triplets"
    store.asked.clear()
    assert len(list_parts(folder)) == 3
    assert len(store.asked) == 1


def test_throttling_that_ends_changes_nothing(store: Store, local: Path, remote: str) -> None:
    store.where, store.slow = (lambda asked: asked.method == "GET"), 4
    assert_same(open_run(remote), open_run(local))
    assert store.slow == 0


def test_throttling_of_a_request_without_a_body_is_for_botocore(
    store: Store, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of HEAD, s3fs does not see why it was refused; botocore tries again."""
    import s3fs

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    s3fs.S3FileSystem.clear_instance_cache()
    store.where, store.slow = (lambda asked: asked.method == "HEAD"), 1
    assert open_run(remote).triplets(["score.snr"], -1)["score.snr"].notna().all()
    assert store.slow == 0
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_body_that_breaks_off_is_asked_for_again(store: Store, local: Path, remote: str) -> None:
    store.where, store.broken = is_part, 3
    assert_same(open_run(remote), open_run(local))
    assert store.broken == 0


@pytest.mark.parametrize("fault", ["slow", "broken"])
def test_what_does_not_end_is_said_and_is_no_damage(
    fault: str, store: Store, remote: str, quick: None
) -> None:
    run = open_run(remote)
    store.where = is_part
    setattr(store, fault, 1000)
    with pytest.raises(LogError, match="until all tries were used up") as found:
        run.triplets()
    assert "damaged" not in str(found.value)
    assert remote in str(found.value)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries in place of five."""
    import s3fs

    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 2)


def test_an_upload_is_whole_or_not_there(store: Store, quick: None) -> None:
    path = as_place(f"s3://{BUCKET}/whole/part")
    content = bytes(range(256)) * 4096
    store.where = lambda asked: asked.method == "PUT"
    store.broken = 1000
    with pytest.raises(LogError, match=r"all tries were used up|nobody answers"):
        replace_bytes(path, content)
    store.calm()
    assert not path.exists()
    store.broken = 1
    replace_bytes(path, content)
    assert path.read_bytes() == content


def test_an_upload_does_not_harm_what_was_there(store: Store, quick: None) -> None:
    path = as_place(f"s3://{BUCKET}/old/part")
    replace_bytes(path, b"before")
    store.where, store.slow = (lambda asked: asked.method == "PUT"), 1000
    with pytest.raises(LogError, match="cannot be reached"):
        replace_bytes(path, b"after")
    store.calm()
    assert path.read_bytes() == b"before"


def test_what_was_written_to_a_store_is_what_is_written_to_disk(store: Store, local: Path) -> None:
    place = as_place(f"s3://{BUCKET}/written/sst2")
    store.where, store.slow = (lambda asked: asked.method == "PUT"), 2
    write_run(place, **WRITTEN)
    here = {f.relative_to(local).as_posix(): f.read_bytes() for f in local.rglob("part-*.parquet")}
    there = {name: (place / name).read_bytes() for name in here}
    assert there == here
    assert sum(len(list_parts(place / table)) for table in TABLES) == len(here)
    assert check_run(place) == []
    assert not is_held(place)
    with pytest.raises(LogError, match="holds a run already"):
        write_run(place, **WRITTEN)


def test_a_bucket_that_is_not_there_is_not_made(store: Store) -> None:
    with pytest.raises(LogError, match="no such bucket"):
        write_run(as_place("s3://nobucket/run"), **WRITTEN)
    with pytest.raises(LogError, match=r"no such bucket|no run in"):
        open_run("s3://nobucket/run")


def test_compaction_keeps_what_a_run_says(store: Store, tmp_path: Path) -> None:
    here = write_run(tmp_path / "sst2", steps=range(1, 5), flush_after=(2,)).path
    place = as_place(f"s3://{BUCKET}/compacted/sst2")
    upload(here, place)
    digest = run_digest(here)
    done = compact_run(place)
    assert (done.parts_before, done.parts_after) == (4, 2)
    assert_same(open_run(place), open_run(here))
    assert run_digest(place) == digest
    assert check_run(place) == []
    assert not is_held(place)


def test_one_writer_has_the_lock(store: Store) -> None:
    place = as_place(f"s3://{BUCKET}/locked/run")
    first, second = WriterLock(place), WriterLock(place)
    first.acquire()
    assert is_held(place)
    with pytest.raises(LogError, match=r"is being written by process \d+ on "):
        second.acquire()
    first.release()
    assert not is_held(place)
    second.acquire()
    second.release()


def test_a_lock_whose_making_got_no_answer_is_ours(store: Store) -> None:
    place = as_place(f"s3://{BUCKET}/unanswered/run")
    store.where, store.unanswered = (lambda asked: asked.method == "PUT"), 1
    lock = WriterLock(place)
    lock.acquire()
    assert store.unanswered == 0
    assert is_held(place)
    lock.release()
    assert not is_held(place)


def test_the_lock_of_the_dead_goes_to_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    place = as_place(f"s3://{BUCKET}/stale/run")
    (place / ".writer.lock").write_bytes(json.dumps({"owner": "the dead"}).encode())
    with pytest.raises(LogError, match="is being written by another process"):
        WriterLock(place).acquire()
    before = store_lock._found(place / ".writer.lock")
    assert before is not None
    monkeypatch.setattr(store_lock, "_STALE_SECONDS", -1.0)
    assert not is_held(place)
    lock = WriterLock(place)
    lock.acquire()
    late = store_lock.StoreLock(place)
    monkeypatch.setattr(store_lock, "_found", lambda _: before)  # looked before the first took it
    with pytest.raises(LogError, match="is being written by process"):
        late.acquire()
    monkeypatch.undo()
    lock.release()
    assert not is_held(place)


def test_a_holder_learns_of_its_loss(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    place = as_place(f"s3://{BUCKET}/lost/run")
    monkeypatch.setattr(store_lock, "_HEARTBEAT_SECONDS", 0.01)
    lock = store_lock.StoreLock(place)
    lock.acquire()
    taken = json.dumps({"owner": "another"}).encode()
    (place / ".writer.lock").write_bytes(taken)
    assert lock._beating is not None
    while not lock.lost:  # a beat that had looked before may have overwritten it
        (place / ".writer.lock").write_bytes(taken)
        lock._beating.join(0.05)
    with pytest.raises(LogError, match="another one took its place"):
        lock.refuse_lost()
    lock.release()
    assert (place / ".writer.lock").read_bytes() == taken


def test_the_heartbeat_keeps_a_lock(store: Store) -> None:
    lock = {"LastModified": datetime.now(UTC) - timedelta(seconds=200)}
    assert not store_lock._is_stale(lock)
    assert store_lock._is_stale({"LastModified": datetime.now(UTC) - timedelta(seconds=400)})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s4://bucket/run", "a protocol that is not known, 's4'"),
        ("s3://", "names no bucket"),
        (f"s3://{BUCKET}/nothing", "there is no run.json"),
    ],
)
def test_urls_of_nothing_are_refused(url: str, said: str, store: Store) -> None:
    with pytest.raises(LogError, match=said):
        open_run(url)


def test_no_credentials_are_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(LogError, match=r"no credentials; .*AWS_PROFILE"):
        open_run(f"s3://{BUCKET}/read/sst2")
    s3fs.S3FileSystem.clear_instance_cache()


def test_ranges_are_fetched_once(store: Store, remote: str) -> None:
    path = as_place(remote) / "run.json"
    content = path.read_bytes()
    file = RangeFile(path)
    assert file.read() == content
    file.seek(3)
    assert (file.read(5), file.tell()) == (content[3:8], 8)
    assert file.fetched == len(content)
