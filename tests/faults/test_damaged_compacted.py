"""Compacted logs that are damaged: the right numbers or an error, and the rest after a repair."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from tests.faults.damage import (
    DAMAGES,
    TABLES,
    Truth,
    doubled,
    foreign,
    missing,
    of_another_step,
    rows_by_part,
    still_right,
    truncated,
    whole_after_repair,
    write_log,
    zeroed,
)
from tests.log.synthetic import flip_bit, parts_of
from vilora_analysis.errors import LogError
from vilora_analysis.log import (
    LogWriter,
    Manifest,
    check_run,
    compact,
    compact_run,
    open_run,
    remarks,
    repair_run,
    run_digest,
)
from vilora_analysis.log.parts import list_parts, write_groups
from vilora_analysis.log.reading import open_part, read_part
from vilora_analysis.log.schema import elements_schema


def compacted(run: Path, into: int = 2) -> Path:
    """Put each table's four parts together to so many."""
    plan = compact._plan
    with pytest.MonkeyPatch.context() as patch:
        if into == 2:
            patch.setattr(
                compact,
                "_plan",
                lambda *args: [half for p in plan(*args) for half in (p[:2], p[2:])],
            )
        compact_run(run)
    assert len(parts_of(run)) == into
    return run


@pytest.fixture(scope="module", params=["finished", None], ids=["finished", "killed"])
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("plain") / "run", status=request.param)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compacted(write_log(tmp_path_factory.mktemp("compacted") / "source"))


@pytest.fixture(scope="module")
def truth(source: Path) -> Truth:
    return {table: rows_by_part(source, table) for table in TABLES}


def foreign_wide(part: Path) -> None:
    """A wide part of another run, under the name of ours."""
    other = part.parents[2] / "other"
    if not other.exists():
        compacted(write_log(other, 9), into=1 if "000000to000003" in part.name else 2)
    shutil.copy(other / part.parent.name / part.name, part)


def doubled_wide(part: Path) -> None:
    shutil.copy(part, part.with_name(part.name.replace("000000to000001", "000010to000011")))


WIDE = {doubled: doubled_wide, foreign: foreign_wide}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("table", TABLES)
def test_every_damage_is_found_and_repaired(
    damage: Callable[[Path], None], table: str, source: Path, truth: Truth, tmp_path: Path
) -> None:
    for at in (0,) if damage is doubled else (0, 1):
        run = shutil.copytree(source, tmp_path / f"run{at}")
        WIDE.get(damage, damage)(parts_of(run, table)[at])
        problems = check_run(run)
        assert {problem.table for problem in problems} == {table}, problems
        assert all(problem.affected for problem in problems)
        assert not still_right(run, truth)
        lost = whole_after_repair(run, truth)
        assert lost == (damage is not doubled)
        gaps = Manifest.load(run).gaps
        assert [(gap.table, gap.last - gap.first >= 2) for gap in gaps] == [(table, True)] * lost
        assert [line for line in remarks(run) if line.startswith("known gap")] == remarks(run)
        compact_run(run)
        assert check_run(run) == []
        assert len(run_digest(run)) == 64


@pytest.mark.parametrize("table", TABLES)
def test_a_table_whose_only_part_is_lost(table: str, tmp_path: Path) -> None:
    run = compacted(write_log(tmp_path / "run"), into=1)
    truth = {name: rows_by_part(run, name) for name in TABLES}
    truncated(parts_of(run, table)[0])
    assert whole_after_repair(run, truth) == 1
    (gap,) = Manifest.load(run).gaps
    assert (gap.table, gap.first, gap.last) == (table, 1, 8)
    assert [line.split(":")[0] for line in remarks(run)] == ["known gap"]


def interrupted(run: Path, left: int = 4) -> Path:
    """A compaction killed before it deleted the last so many small parts of each table."""
    small = {table: parts_of(run, table)[4 - left :] for table in TABLES}
    with pytest.MonkeyPatch.context() as patch:
        unlink = Path.unlink
        kept = {part for parts in small.values() for part in parts}
        patch.setattr(Path, "unlink", lambda p, **kw: None if p in kept else unlink(p, **kw))
        compact_run(run)
    assert [len(parts_of(run, table)) for table in TABLES] == [1 + left] * 4
    return run


def wide_of(run: Path, table: str = "triplets") -> Path:
    (wide,) = (run / table).glob("part-*to*.parquet")
    return wide


def test_parts_that_a_bad_one_stands_for_count_again(plain: Path, tmp_path: Path) -> None:
    truth = {table: rows_by_part(plain, table) for table in TABLES}
    for damage in (truncated, zeroed, foreign_wide):
        run = interrupted(shutil.copytree(plain, tmp_path / damage.__name__))
        tables = TABLES if damage is not foreign_wide else TABLES[:1]
        for table in tables:
            damage(wide_of(run, table))
        assert {problem.table for problem in check_run(run)} == {*tables, ""}
        those = {table: truth[table] for table in tables}
        assert not still_right(run, those)
        assert whole_after_repair(run, those) == 0
        assert Manifest.load(run).gaps == ()
        assert len(list((run / "set-aside").glob("*/part-*to*"))) == len(tables)
        compact_run(run)
        assert check_run(run) == []


def test_of_parts_that_are_deleted_already_the_loss_is_noted(plain: Path, tmp_path: Path) -> None:
    truth = {table: rows_by_part(plain, table) for table in TABLES}
    run = interrupted(shutil.copytree(plain, tmp_path / "run"), left=3)
    for table in TABLES:
        zeroed(wide_of(run, table))
    assert whole_after_repair(run, truth) == 4
    assert {(gap.table, gap.first) for gap in Manifest.load(run).gaps} == {(t, 1) for t in TABLES}
    assert open_run(run).steps.tolist() == [3, 4, 5, 6, 7, 8]


def test_nobody_deletes_the_parts_that_a_bad_one_stands_for(plain: Path, tmp_path: Path) -> None:
    run = interrupted(shutil.copytree(plain, tmp_path / "run"))
    wide = wide_of(run)
    truncated(wide)
    before = sorted(run.glob("*/part-*"))
    known = Manifest.load(run)
    said = rf"{wide.name} is damaged: .*check --repair"
    with pytest.raises(LogError, match=said):
        compact_run(run)
    for step in (2, 8):
        with pytest.raises(LogError, match=said):
            LogWriter(run, known, triplets=None, resume_step=step)
    assert sorted(run.glob("*/part-*")) == before
    repair_run(run)
    assert open_run(run).steps.tolist() == list(range(1, 9))


def test_damaged_leftovers_harm_nobody(plain: Path, tmp_path: Path) -> None:
    truth = {table: rows_by_part(plain, table) for table in TABLES}
    whole = {t: {"": [row for part in truth[t].values() for row in part]} for t in TABLES}
    for damage in (truncated, zeroed, missing, of_another_step):
        run = interrupted(shutil.copytree(plain, tmp_path / damage.__name__))
        for table in TABLES:
            damage(parts_of(run, table)[-1])
        assert {problem.table for problem in check_run(run)} == {""}
        assert still_right(run, whole)
        repair_run(run)
        assert check_run(run) == []
        assert still_right(run, whole)


def with_a_new_column(part: Path) -> None:
    """The part as a version would write it that records one column more."""
    (found,) = [one for one in list_parts(part.parent) if one.path == part]
    rows = read_part(found)
    metadata = open_part(found).schema_arrow.metadata
    rows = rows.append_column("new", pa.array([1.0] * rows.num_rows, pa.float32()))
    write_groups(found, rows.schema.with_metadata(metadata), [rows])


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("newer", [0, 1])
def test_parts_of_a_newer_schema(table: str, newer: int, tmp_path: Path) -> None:
    """By steps, not by files: one part made of two outvotes a single one that came later."""
    run = write_log(tmp_path / "run")
    truth = {name: rows_by_part(run, name) for name in TABLES}
    with_a_new_column(parts_of(run, table)[3 * newer])
    compact_run(run)
    names = [part.name for part in parts_of(run, table)]
    assert len(names) == 2
    bad = parts_of(run, table)[newer]
    assert [(p.path, "columns differ" in p.what) for p in check_run(run)] == [(bad, True)]
    repair_run(run)
    assert check_run(run) == []
    (gap,) = Manifest.load(run).gaps
    assert gap.table == table
    assert bad.name in gap.reason
    small = [*truth[table].values()]
    kept = [row for part in (small[:3] if newer else small[1:]) for row in part]
    assert still_right(run, {table: {"": kept}})


def test_what_is_kept_of_the_origin_is_looked_after(tmp_path: Path) -> None:
    run = compacted(write_log(tmp_path / "run"))
    kept = sorted((run / "compacted").iterdir())[2]
    flip_bit(kept, 20)
    kept.write_bytes(kept.read_bytes()[:-9])
    (problem,) = check_run(run)
    assert (problem.path, problem.affected) == (kept, "")
    assert "is damaged: " in problem.what
    with pytest.raises(LogError, match="is damaged"):
        run_digest(run)
    assert [(done.what, done.path) for done in repair_run(run)] == [("set aside", kept)]
    assert check_run(run) == []
    assert len(run_digest(run)) == 64


@pytest.mark.parametrize("into", [0, 1, 2])
def test_the_end_of_a_killed_run_does_not_go_unnoticed(into: int, tmp_path: Path) -> None:
    """Of a run that was not closed nothing but the part itself says how far it had gone."""
    run = write_log(tmp_path / "run", status=None)
    if into:
        compacted(run, into)
    for table in TABLES:
        truncated(parts_of(run, table)[-1])
    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(Manifest, "save", _killed)  # after the part was moved
        repair_run(run)
    repair_run(run)
    gaps = {gap.table: (gap.first, gap.last) for gap in Manifest.load(run).gaps}
    first = {0: 7, 1: 1, 2: 5}[into]
    assert gaps == dict.fromkeys(TABLES, (first, 8)) | {"metrics": (max(first - 1, 1), 8)}
    assert check_run(run) == repair_run(run) == []
    known = Manifest.load(run)
    log = LogWriter(run, known, triplets=None, elements=elements_schema(["mu"]), resume_step=2)
    log.close("failed")
    assert all(gap.last <= 2 for gap in Manifest.load(run).gaps)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_was_set_aside_before_a_run_went_on_is_not_lost_again(tmp_path: Path) -> None:
    run = write_log(tmp_path / "run", status=None)
    part = parts_of(run)[-1]
    truncated(part)
    repair_run(run)
    log = LogWriter(run, Manifest.load(run), triplets=None, resume_step=4)
    log.metrics(5, {"loss": 1.0})
    log.flush()
    log._lock.release()
    for table in TABLES:
        for at in parts_of(run, table):
            os.utime(at, (at.stat().st_mtime + 5,) * 2)  # who goes on takes longer than this test
    assert repair_run(run) == []
    assert Manifest.load(run).gaps == ()


def test_spans_of_noted_gaps_do_not_overlap(source: Path, tmp_path: Path) -> None:
    run = shutil.copytree(source, tmp_path / "run")
    for part in parts_of(run):
        zeroed(part)
    repair_run(run)
    spans = sorted((gap.first, gap.last) for gap in Manifest.load(run).gaps)
    assert spans[0][0] == 1
    assert spans[-1][1] == 8
    assert all(before[1] < after[0] for before, after in pairwise(spans))
