"""A compacted log says what it said before, and is laid out as before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.log.compacting import TABLES, N, assert_same, write_log
from tests.log.synthetic import damage_column, parts_of
from vilora_analysis.errors import LogError
from vilora_analysis.log import check_run, compact, compact_run, open_run, run_digest
from vilora_analysis.log.lock import WriterLock, run_lock
from vilora_analysis.log.state import run_state


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("compact") / "run")


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def everything(run: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(run): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and "lock" not in path.name
    }


def test_a_part_a_table_is_left_with_the_same_content(run: Path, whole: Path) -> None:
    before = [part for table in TABLES for part in parts_of(run, table)]
    size = sum(part.stat().st_size for part in before)
    seen: list[tuple[int, int]] = []
    done = compact_run(run, lambda now, of: seen.append((now, of)))
    after = [part for table in TABLES for part in parts_of(run, table)]
    assert [part.name for part in after] == [
        "part-000000to000005-000000001-000000006.parquet",
        "part-000000to000002-000000002-000000006.parquet",
        "part-000000to000006-000000001-000000006.parquet",
        "part-000000to000002-000000002-000000006.parquet",
    ]
    kept = sum(path.stat().st_size for path in (run / "compacted").iterdir())
    assert (done.parts_before, done.parts_after) == (len(before), 4)
    assert done.bytes_before == size
    assert done.bytes_after == sum(part.stat().st_size for part in after) + kept
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)
    assert_same(run, whole)
    assert check_run(run) == []
    assert not list(run.rglob("*.tmp"))


def test_the_digest_stays_and_still_sees_every_change(run: Path, whole: Path) -> None:
    digest = run_digest(whole)
    compact_run(run)
    assert run_digest(run) == digest
    for table in TABLES:
        copy = Path(shutil.copytree(run, run.with_name(table)))
        part = parts_of(copy, table)[0]
        pq.write_table(pq.ParquetFile(part).read().slice(1), part)
        assert run_digest(copy) != digest
    kept = next((run / "compacted").glob("triplets-*"))
    raw = bytearray(kept.read_bytes())
    kept.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(LogError, match=rf"{kept.name} is damaged: .*; delete it"):
        run_digest(run)
    kept.unlink()
    assert run_digest(run) != digest


def test_files_are_laid_out_as_the_writers_were(run: Path) -> None:
    before = {table: pq.ParquetFile(parts_of(run, table)[0]) for table in TABLES}
    compact_run(run)
    for table, file in before.items():
        now = pq.ParquetFile(parts_of(run, table)[0], page_checksum_verification=True)
        assert now.schema_arrow.equals(file.schema_arrow, check_metadata=True)
        for at in range(file.metadata.num_columns):
            old, new = (f.metadata.row_group(0).column(at) for f in (file, now))
            assert (new.compression, new.encodings) == (old.compression, old.encodings)
            assert new.physical_type == old.physical_type
    damage_column(parts_of(run)[0], "mu_A")
    with pytest.raises(LogError, match="is damaged"):
        open_run(run).triplets(["mu_A"])


def test_row_groups_are_small_and_only_those_asked_for_are_read(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "_GROUP_ROWS", 2 * N + 1)
    compact_run(run)
    part = parts_of(run)[0]
    metadata = pq.ParquetFile(part).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2 * N] * 3
    assert check_run(run) == []
    assert [b.steps.tolist() for b in open_run(run).blocks(["mu_A"])] == [[1, 2], [3, 4], [5, 6]]
    damage_column(part, "mu_A")  # in the first row group
    assert open_run(run).triplets(["step", "mu_A"], slice(3, None))["step"].nunique() == 4
    with pytest.raises(LogError, match="is damaged"):
        open_run(run).triplets(["mu_A"], 2)


def test_it_makes_parts_of_limited_size_and_leaves_large_ones_alone(
    run: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = parts_of(run)[0].stat().st_size
    monkeypatch.setattr(compact, "_PART_BYTES", 3 * size - 10)
    compact_run(run)
    assert [p.name[:18] for p in parts_of(run)] == ["part-000000to00000", "part-000003to00000"]
    assert_same(run, whole)
    before = everything(run)
    monkeypatch.setattr(compact, "_PART_BYTES", size)
    assert compact_run(run).parts_after == compact_run(run).parts_before
    assert everything(run) == before


def test_a_compacted_log_that_grew_is_compacted_again(run: Path, tmp_path: Path) -> None:
    for path in (run, tmp_path / "straight"):
        shutil.rmtree(path, ignore_errors=True)
        write_log(path, 4, status=None)
    compact_run(run)
    for path in (run, tmp_path / "straight"):
        write_log(path, 6, resume_step=4)
    (run / "run.json").write_bytes((tmp_path / "straight" / "run.json").read_bytes())
    digest = run_digest(run)
    assert digest == run_digest(tmp_path / "straight")
    for _ in range(2):
        compact_run(run)
        assert len(list((run / "compacted").iterdir())) == 4
        assert run_digest(run) == digest
        assert_same(run, tmp_path / "straight")


@pytest.mark.parametrize("step", [0, 1, 4, 6])
def test_a_compacted_unfinished_run_goes_on_from_any_checkpoint(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    runs = [write_log(tmp_path / name, 6, status=None) for name in ("plain", "compacted")]
    compact_run(runs[1])
    for path in runs:
        write_log(path, 8, resume_step=step)
    assert_same(runs[1], runs[0])
    assert check_run(runs[1]) == []


def test_parts_are_not_joined_over_a_gap_or_another_schema(run: Path) -> None:
    parts_of(run)[2].unlink()
    part = parts_of(run)[3]  # the fifth
    table = pq.ParquetFile(part).read()
    pq.write_table(table.replace_schema_metadata({"by": "another version"}), part)
    compact_run(run)
    assert [p.name[:20] for p in parts_of(run)] == [
        "part-000000to000001-",
        "part-000003-00000000",
        "part-000004-00000000",
        "part-000005-00000000",
    ]
    assert [problem.what for problem in check_run(run)] == [
        "part 3 follows, but part 2 is not there"
    ]


def test_who_writes_or_carries_out_a_run_is_not_disturbed(run: Path) -> None:
    before = everything(run)
    holder = WriterLock(run)
    holder.acquire()
    with pytest.raises(LogError, match=rf"being written by process {os.getpid()}"):
        compact_run(run)
    holder.release()
    with run_lock(run, timeout=0), pytest.raises(LogError, match="carried out by another process"):
        compact_run(run)
    assert everything(run) == before
    compact_run(run)  # both are given back


def test_a_finished_run_counts_as_finished_meanwhile(run: Path) -> None:
    states: list[str] = []
    compact_run(run, lambda *_: states.append(run_state(run).state))
    assert set(states) == {"finished"}


def test_a_damaged_part_is_named_and_nothing_is_lost(run: Path) -> None:
    damage_column(parts_of(run)[3], "mu_A")
    before = everything(run)
    with pytest.raises(LogError, match=r"part-000003-\S+ is damaged"):
        compact_run(run)
    assert everything(run) == before
    with pytest.raises(LogError, match="no run in"):
        compact_run(run / "triplets")


def test_a_full_disk_is_said_and_nothing_is_lost(
    run: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LogError, match="No space left on device"):
            compact_run(run)
    assert_same(run, whole)
    compact_run(run)
    assert_same(run, whole)


def test_an_unfinished_manifest_is_left_as_it_is(tmp_path: Path) -> None:
    run = write_log(tmp_path / "run", 3, status=None)
    before = (run / "run.json").read_bytes()
    compact_run(run)
    assert (run / "run.json").read_bytes() == before
    assert run_state(run).state == "interrupted"
