"""A check names the file and says what is wrong with its rows, or what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.log.synthetic import (
    manifest,
    only_problem,
    parts_of,
    schema_of,
    sound_run,
    unseal,
    write_run,
)
from vilora_analysis.log import LogWriter, ModuleRow, check_run
from vilora_analysis.log.schema import METRICS

N_TRIPLETS = 20


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three parts of two steps."""
    return sound_run(tmp_path / "run")


def rewrite(part: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.ParquetFile(part).read()).replace_schema_metadata(), part)


def replaced(table: pa.Table, name: str, change: Callable[[np.ndarray], object]) -> pa.Table:
    values = table[name].to_numpy().copy()
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(name), pa.array(change(values)))


def test_a_sound_log_has_no_problems(run: Path) -> None:
    assert check_run(run) == check_run(str(run)) == []


def test_a_run_without_parts_has_no_problems(tmp_path: Path) -> None:
    assert check_run(write_run(tmp_path / "run", steps=()).path) == []


def test_a_run_of_metrics_only_has_no_problems(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "run", manifest(()), triplets=None)
    log.metrics(1, {"loss": 1.0})
    log.close("finished")
    assert check_run(log.directory) == []


def test_a_missing_part_in_the_middle(run: Path) -> None:
    parts = parts_of(run)
    parts[1].unlink()
    assert only_problem(run, parts[2]) == "part 2 follows, but part 1 is not there"


@pytest.mark.parametrize("table", ["triplets", "metrics", "events"])
def test_a_missing_first_part(run: Path, table: str) -> None:
    first = parts_of(run, table)[0]
    renamed = first.with_name(first.name.replace("part-000000", "part-000007"))
    unseal(first)
    if table == "triplets":
        first.unlink()
        renamed = parts_of(run)[0]
    else:
        first.rename(renamed)
    assert "but part 0 is not there" in {p.what.partition(", ")[2] for p in check_run(run)}


def test_a_gap_in_the_steps(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", steps=(2, 4, 8, 10), every=2, flush_after=(4,))
    assert check_run(run.path) == []  # who wrote it noted the gap
    replace(run.manifest, gaps=()).save(run.path)
    said = only_problem(run.path, parts_of(run.path)[1])
    assert said == "no steps between 4 and 8; one in 2 is due"
    run = write_run(tmp_path / "within", steps=(2, 4, 6, 8, 10), every=2).path
    part = parts_of(run)[0]
    rewrite(part, lambda table: table.filter(pc.field("step") != 6))
    assert only_problem(run, part) == said


def test_a_part_that_is_there_twice(run: Path) -> None:
    part = unseal(parts_of(run)[1])
    copy = part.with_name(part.name.replace("part-000001", "part-000003"))
    copy.write_bytes(part.read_bytes())
    assert only_problem(run, copy) == "step 9 comes after step 18"


def test_two_parts_of_one_sequence_number(run: Path) -> None:
    part = unseal(parts_of(run)[2])
    twin = part.with_name(part.name.replace("000018", "000019"))
    twin.write_bytes(part.read_bytes())
    said = [str(problem) for problem in check_run(run) if problem.path == twin]
    assert "there is another part 2" in said[0]
    assert "holds steps 15 to 18, not those of its name" in said[1]


def test_steps_under_a_wrong_name(run: Path) -> None:
    part = unseal(parts_of(run)[2])
    renamed = part.rename(part.with_name("part-000002-000000013-000000018.parquet"))
    assert only_problem(run, renamed) == "holds steps 15 to 18, not those of its name"


def swap(first: int, second: int) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        order = list(range(table.num_rows))
        order[first], order[second] = order[second], order[first]
        return table.take(order)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swap(0, 1), "triplets do not stand in the order of the manifest"),
        (swap(0, 19), "modules do not stand in the order of the manifest"),
        (swap(5, 25), "rows of different steps are mixed"),
        (lambda t: t.slice(1), "39 rows are not whole steps of 20 triplets"),
        (lambda t: t.slice(0, 39), "39 rows are not whole steps of 20 triplets"),
        (lambda t: t.slice(0, 0), "0 rows are not whole steps of 20 triplets"),
        (lambda t: t.take([*range(20, 40), *range(20)]), "holds steps 12 to 9"),
        (lambda t: t.drop_columns(["k", "kept"]), "lacks or repeats the columns k, kept"),
        (lambda t: t.drop_columns("score.snr"), "lacks or repeats the columns score.snr"),
        (lambda t: t.append_column("k", t["k"]), "lacks or repeats the columns k"),
        (lambda t: t.append_column("mine", t["k"]), "columns differ from the first part's"),
        (
            lambda t: replaced(t, "score.snr.A", lambda v: np.where(v == v[30], np.nan, v)),
            "not finite: score.snr.A",
        ),
        (
            lambda t: replaced(t, "score.snr", lambda v: np.where(v == v[7], np.inf, v)),
            "not finite: score.snr",
        ),
    ],
)
def test_wrong_rows_and_columns(
    run: Path, change: Callable[[pa.Table], pa.Table], said: str
) -> None:
    part = parts_of(run)[1]
    rewrite(part, change)
    assert said in only_problem(run, part)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_foreign_table_under_a_name_of_a_part(run: Path, at: int) -> None:
    part = parts_of(run)[at]
    pq.write_table(pa.table({"city": ["Trieste"], "rain": [float("nan")]}), part)
    assert only_problem(run, part).startswith("lacks or repeats the columns step, module")


def test_a_foreign_table_with_our_columns_in_other_types(run: Path) -> None:
    part = parts_of(run)[0]
    names = pq.ParquetFile(part).schema_arrow.names
    pq.write_table(pa.table({name: [[1, 2]] * N_TRIPLETS for name in names}), part)
    said = only_problem(run, part)
    assert said.startswith("columns of another type: step is list<")
    assert "not int64" in said


def test_metrics_in_another_shape(run: Path) -> None:
    part = parts_of(run, "metrics")[0]
    rewrite(part, lambda t: t.rename_columns(["step", "metric", "value"]))
    assert only_problem(run, part) == "lacks or repeats the columns name"
    pq.write_table(pa.table({"step": [1], "name": ["loss"], "value": ["1.0"]}), part)
    assert "value is string, not double" in only_problem(run, part)
    pq.write_table(METRICS.empty_table(), part)
    assert only_problem(run, part) == "0 rows"


def test_leftovers_of_writes_are_reported(run: Path) -> None:
    left = [run / ".run.json.12.tmp", run / "metrics" / ".part-000001-1-1.parquet.12.tmp"]
    for file in left:
        file.write_text("half")
    problems = check_run(run)
    assert [problem.path for problem in problems] == left
    assert all("can be deleted" in problem.what for problem in problems)


def test_other_files_do_not_count(run: Path) -> None:
    for name in ("notes.txt", "part-1-1-1.parquet", "part-000009-000000001-000000001.parquet.bak"):
        (run / "triplets" / name).write_text("mine")
    assert check_run(run) == []


def edited(run: Path, **changes: object) -> None:
    described = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**described, **changes}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: (run / "run.json").unlink(), "there is no run.json"),
        (lambda run: (run / "run.json").write_text('{"run_id": '), "cannot be read: "),
        (lambda run: (run / "run.json").write_bytes(b"\xff\xfe"), "cannot be read: "),
        (lambda run: (run / "run.json").write_text("[]"), "has schema version None"),
        (lambda run: edited(run, schema_version=999), "has schema version 999"),
        (lambda run: edited(run, modules=[1, 2]), "is not a manifest of a run"),
        (lambda run: edited(run, modules=[{"name": "a"}]), "is not a manifest of a run"),
        (lambda run: edited(run, every="often"), "every or the rank of a module"),
    ],
)
def test_a_manifest_that_cannot_be_used(
    run: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(run)
    assert said in only_problem(run, run / "run.json")


def test_a_manifest_of_other_modules(run: Path) -> None:
    edited(run, modules=[vars(ModuleRow("elsewhere", "W_q", 0, 20))])
    assert {problem.what for problem in check_run(run)} == {
        "modules do not stand in the order of the manifest"
    }
    edited(run, modules=[])
    assert all("not whole steps of 0 triplets" in problem.what for problem in check_run(run))


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    assert "there is no run.json" in only_problem(tmp_path / "no", tmp_path / "no" / "run.json")


def test_the_schema_of_a_sound_log_is_that_of_its_manifest(run: Path) -> None:
    assert pq.ParquetFile(parts_of(run)[0]).schema_arrow.equals(schema_of(manifest()), True)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("matrix", "W_x", "matrices are not"), ("layer", 7, "layers are not")],
)
def test_a_manifest_that_puts_a_matrix_elsewhere(
    run: Path, key: str, value: object, said: str
) -> None:
    manifest = json.loads((run / "run.json").read_text())
    manifest["modules"][0][key] = value
    (run / "run.json").write_text(json.dumps(manifest))
    problems = check_run(run)
    assert len(problems) == len(parts_of(run))
    assert all(f"{said} those of the manifest" in str(problem) for problem in problems)
