"""What is written to an object store is whole, and written by one at a time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.log.object_store import BUCKET, Store, upload
from tests.log.stored_runs import TABLES, WRITTEN, assert_same
from tests.log.synthetic import write_run
from vilora_analysis.errors import LogError
from vilora_analysis.log import check_run, compact_run, open_run, run_digest, store_lock
from vilora_analysis.log.lock import is_held, writer_lock
from vilora_analysis.log.parts import list_parts, replace_bytes
from vilora_analysis.log.places import as_place

pytest.importorskip("s3fs")
pytest.importorskip("moto")


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
    first, second = writer_lock(place), writer_lock(place)
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
    lock = writer_lock(place)
    lock.acquire()
    assert store.unanswered == 0
    assert is_held(place)
    lock.release()
    assert not is_held(place)


def test_the_lock_of_the_dead_goes_to_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    place = as_place(f"s3://{BUCKET}/stale/run")
    (place / ".writer.lock").write_bytes(json.dumps({"owner": "the dead"}).encode())
    with pytest.raises(LogError, match="is being written by another process"):
        writer_lock(place).acquire()
    before = store_lock._found(place / ".writer.lock")
    assert before is not None
    monkeypatch.setattr(store_lock, "_STALE_SECONDS", -1.0)
    assert not is_held(place)
    lock = writer_lock(place)
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
