"""What was appended comes back, and lies on disk as documented."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.log.synthetic import (
    POOLER,
    Written,
    decision,
    float_columns,
    manifest,
    modules,
    parts_of,
    write_posterior_run,
    write_run,
)
from vilora_analysis.log import LogWriter, open_run
from vilora_analysis.log.schema import elements_schema

N_TRIPLETS = 2 * 3 * 3 + 2
any_float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return write_posterior_run(
        tmp_path / "run",
        steps=range(10, 60, 10),
        every=10,
        flush_after=(20, 40),
        events=[decision(20, threshold=None), decision(40, pruned=[], revived=["a[0]", "b[1]"])],
        metrics=[(10, {"loss": 0.1 + 0.2, "lr": 1e-300}), (20, {"loss": -0.0})],
    )


def whole_table(run: Path, table: str) -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(part).read() for part in parts_of(run, table)])


def chunks_of(part: Path) -> dict[str, pq.ColumnChunkMetaData]:
    group = pq.ParquetFile(part).metadata.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    return {column.path_in_schema: column for column in columns}


@settings(max_examples=15, deadline=None)
@given(values=arrays(np.float32, (3, N_TRIPLETS), elements=any_float32))
def test_every_float_comes_back_bit_for_bit(values: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        write_run(run, steps=(1, 2, 3), columns={"score.snr.A": values}, flush_after=(2,))
        read = whole_table(run, "triplets")["score.snr.A"].to_numpy()
        blocks = np.concatenate(
            [b.values["score.snr.A"] for b in open_run(run).blocks(["score.snr.A"])]
        )
    assert read.tobytes() == values.tobytes()
    assert blocks.tobytes() == values.tobytes()


def test_all_columns_and_keys_come_back(written: Written) -> None:
    table = whole_table(written.path, "triplets")
    for name, values in written.values.items():
        assert table[name].to_numpy().tobytes() == values.tobytes(), name
    assert table["kept"].to_pylist() == written.kept.reshape(-1).tolist()
    assert table["step"].to_pylist() == [s for s in written.steps for _ in range(N_TRIPLETS)]
    rows = [(m, k) for m in written.manifest.modules for k in range(m.rank)] * len(written.steps)
    assert table["module"].to_pylist() == [module.name for module, _ in rows]
    assert table["matrix"].to_pylist() == [module.matrix for module, _ in rows]
    assert table["layer"].to_pylist() == [module.layer for module, _ in rows]
    assert table["k"].to_pylist() == [k for _, k in rows]


def test_columns_stand_in_the_documented_order_and_types(written: Written) -> None:
    inputs = ("mu", "sigma", "grad", "hess", "fisher_batch")
    scores = ("snr", "mean_abs", "sensitivity", "sensitivity_smoothed")
    floats = [f"{name}_{factor}" for name in inputs for factor in "EAB"]
    for score in scores:
        floats += [f"score.{score}", *(f"score.{score}.{factor}" for factor in "EAB")]
    schema = pq.ParquetFile(parts_of(written.path)[0]).schema_arrow
    text = pa.dictionary(pa.int32(), pa.string())
    assert list(zip(schema.names, schema.types, strict=True)) == [
        ("step", pa.int64()),
        ("module", text),
        ("layer", pa.int16()),
        ("matrix", text),
        ("k", pa.int32()),
        ("kept", pa.bool_()),
        *((name, pa.float32()) for name in floats),
    ]
    assert [field.name for field in schema if field.nullable] == ["layer"]


def test_lora_has_no_columns_of_e(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", inputs=("mu",), factors=("A", "B"), scores=("snr",)).path
    floats = float_columns(pq.ParquetFile(parts_of(run)[0]).schema_arrow)
    assert floats == ["mu_A", "mu_B", "score.snr", "score.snr.A", "score.snr.B"]


@pytest.mark.parametrize("table", ["triplets", "metrics", "events"])
def test_floats_are_split_by_byte_strings_coded_and_all_is_zstd(
    written: Written, table: str
) -> None:
    part = parts_of(written.path, table)[0]
    schema, chunks = pq.ParquetFile(part).schema_arrow, chunks_of(part)
    assert {chunk.compression for chunk in chunks.values()} == {"ZSTD"}
    for field in schema:
        if pa.types.is_floating(field.type):
            assert "BYTE_STREAM_SPLIT" in chunks[field.name].encodings, field.name
            assert not chunks[field.name].has_dictionary_page, field.name
        if pa.types.is_dictionary(field.type):
            assert "RLE_DICTIONARY" in chunks[field.name].encodings, field.name


def test_every_float_column_says_meaning_unit_and_source(written: Written) -> None:
    for table in ("triplets", "metrics", "events"):
        for field in pq.ParquetFile(parts_of(written.path, table)[0]).schema_arrow:
            if pa.types.is_floating(field.type):
                said = {k.decode(): v.decode() for k, v in field.metadata.items()}
                assert {"meaning", "unit", "source"} <= said.keys(), field.name
                assert all(said.values()), field.name


def test_what_a_column_says_distinguishes_factor_and_reduction(written: Written) -> None:
    said = open_run(written.path).columns
    assert "posterior standard deviation" in said["sigma_A"]["meaning"]
    assert "root mean square over row k of A" in said["sigma_A"]["meaning"]
    assert "mean over column k of B" in said["hess_B"]["meaning"]
    assert "over" not in said["mu_E"]["meaning"].split(":")[1]
    assert said["sigma_A"]["unit"] == "theta"
    assert said["score.snr"]["source"] == "source of snr"
    assert "f(snr)" in said["score.snr.A"]["meaning"]
    # one row of A is one number for its k, so the texts must not be shared
    assert len({entry["meaning"] for entry in said.values()}) == len(said)


def test_parts_hold_whole_steps_in_order_and_say_so_in_their_names(written: Written) -> None:
    parts = parts_of(written.path)
    assert [part.name for part in parts] == [
        "part-000000-000000010-000000020.parquet",
        "part-000001-000000030-000000040.parquet",
        "part-000002-000000050-000000050.parquet",
    ]
    steps = [pq.ParquetFile(part).read(["step"])["step"].to_pylist() for part in parts]
    assert steps == [[10] * 20 + [20] * 20, [30] * 20 + [40] * 20, [50] * 20]


def test_lists_of_names_are_dictionary_coded(written: Written) -> None:
    chunks = chunks_of(parts_of(written.path, "events")[0])
    assert "RLE_DICTIONARY" in chunks["pruned.list.element"].encodings


def test_metrics_and_events_come_back(written: Written) -> None:
    metrics = whole_table(written.path, "metrics").to_pylist()
    assert metrics == [
        {"step": 10, "name": "loss", "value": 0.1 + 0.2},
        {"step": 10, "name": "lr", "value": 1e-300},
        {"step": 20, "name": "loss", "value": 0.0},
    ]
    assert str(metrics[2]["value"]) == "-0.0"
    assert whole_table(written.path, "events").to_pylist() == [
        decision(20, threshold=None),
        decision(40, pruned=[], revived=["a[0]", "b[1]"]),
    ]


def test_vectors_of_elements_come_back_and_are_split_by_byte(tmp_path: Path) -> None:
    known = manifest(modules(1, ("W_q",), rank=1))
    rows = [
        {
            "step": step,
            "module": POOLER.name,
            "layer": None,
            "matrix": POOLER.matrix,
            "k": 1,
            "factor": "A",
            "mu": np.array([step, 0.1, -2.5], dtype=np.float32),
        }
        for step in (5, 10)
    ]
    writer = LogWriter(tmp_path / "run", known, triplets=None, elements=elements_schema(["mu"]))
    for row in rows:
        writer.elements([row])
    writer.close("finished")
    read = whole_table(tmp_path / "run", "elements")
    assert read.drop_columns("mu").to_pylist() == [
        {k: v for k, v in row.items() if k != "mu"} for row in rows
    ]
    assert [np.float32(v).tolist() for v in read["mu"].to_pylist()] == [
        row["mu"].tolist() for row in rows
    ]
    parts = parts_of(tmp_path / "run", "elements")
    assert len(parts) == 2  # large, so written out at once
    assert "BYTE_STREAM_SPLIT" in chunks_of(parts[0])["mu.list.element"].encodings
