"""A log is plain Parquet: pandas, Polars and DuckDB read it without this package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.log.synthetic import Written, decision, parts_of, write_run

PANDAS = """
import pandas as pd
rows = pd.read_parquet(f"{run}/triplets")
mean = rows.groupby("matrix", observed=True)["score.snr"].mean().to_dict()
kept = rows.groupby("step")["kept"].sum().to_dict()
layers = rows["layer"].isna().sum()
metrics = pd.read_parquet(f"{run}/metrics").query("name == 'loss'")
loss = dict(zip(metrics["step"], metrics["value"]))
events = pd.read_parquet(f"{run}/events")
pruned = {int(s): list(names) for s, names in zip(events["step"], events["pruned"])}
"""
POLARS = """
import polars as pl
rows = pl.read_parquet(f"{run}/triplets/*.parquet")
mean = dict(rows.group_by("matrix").agg(pl.col("score.snr").cast(pl.Float64).mean()).rows())
kept = dict(rows.group_by("step").agg(pl.col("kept").sum()).rows())
layers = rows["layer"].null_count()
metrics = pl.scan_parquet(f"{run}/metrics/*.parquet").filter(pl.col("name") == "loss").collect()
loss = dict(metrics.select("step", "value").rows())
pruned = dict(pl.read_parquet(f"{run}/events/*.parquet").select("step", "pruned").rows())
"""
DUCKDB = """
import duckdb
rows = f"read_parquet('{run}/triplets/*.parquet')"
ask = lambda text: duckdb.sql(text).fetchall()
mean = dict(ask(f'select matrix, avg("score.snr"::double) from {rows} group by matrix'))
kept = dict(ask(f"select step, count(*) filter (kept) from {rows} group by step"))
layers = ask(f"select count(*) from {rows} where layer is null")[0][0]
loss = dict(ask(f"select step, value from '{run}/metrics/*.parquet' where name = 'loss'"))
pruned = dict(ask(f"select step, pruned from '{run}/events/*.parquet'"))
"""
REPORT = """
import json, sys
assert not any(name.startswith("vilora_analysis") for name in sys.modules)
print(json.dumps({"mean": mean, "kept": {int(k): int(v) for k, v in kept.items()},
                  "layers": int(layers), "loss": loss, "pruned": pruned}))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    written = write_run(
        tmp_path_factory.mktemp("plain") / "run",
        flush_after=(2, 4),
        metrics=[(1, {"loss": 0.75, "lr": 0.1}), (2, {"loss": 0.5})],
        events=[decision(2, pruned=["a[0]", "b[1]"]), decision(4, pruned=[], threshold=None)],
    )
    part = parts_of(written.path)[0]
    # what a killed writer leaves behind must not disturb them
    (part.parent / f".{part.name}.99.tmp").write_bytes(part.read_bytes()[:500])
    return written


@pytest.mark.parametrize("script", [PANDAS, POLARS, DUCKDB], ids=["pandas", "polars", "duckdb"])
def test_reads_the_same_numbers(written: Written, tmp_path: Path, script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"run = {str(written.path)!r}\n{script}\n{REPORT}"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    read = json.loads(done.stdout)
    of_matrix: dict[str, list[float]] = {}
    triplets = [module.matrix for module in written.manifest.modules for _ in range(module.rank)]
    for row in written.values["score.snr"].tolist():
        for matrix, value in zip(triplets, row, strict=True):
            of_matrix.setdefault(matrix, []).append(value)
    assert read["mean"].keys() == of_matrix.keys()
    for matrix, values in of_matrix.items():
        # pandas sums in single precision
        assert read["mean"][matrix] == pytest.approx(sum(values) / len(values), rel=1e-6)
    assert read["kept"] == {
        str(step): sum(marks.tolist())
        for step, marks in zip(written.steps, written.kept, strict=True)
    }
    assert read["layers"] == 2 * len(written.steps)
    assert read["loss"] == {"1": 0.75, "2": 0.5}
    assert read["pruned"] == {"2": ["a[0]", "b[1]"], "4": []}
