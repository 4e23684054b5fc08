"""What is measured of examples is on disk as it was given, told plainly if it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from vilora_analysis.errors import LogError
from vilora_analysis.log.fisher import FISHER_COLUMNS, FisherFiles


def columns(rows: int = 3, **changes: Any) -> dict[str, Any]:
    keys = {
        "module": ["a.dense"] * rows,
        "layer": [0] * (rows - 1) + [None],
        "matrix": ["W_o"] * rows,
        "k": range(rows),
        "factor": ["A"] * rows,
        "examples": [8] * rows,
        "batch_size": [4] * rows,
    }
    values = {name: np.arange(rows) + i for i, name in enumerate(FISHER_COLUMNS)}
    return {**keys, **values, **changes}


def test_what_goes_in_comes_out_by_step_and_the_adapter_last(tmp_path: Path) -> None:
    files = FisherFiles(tmp_path)
    files.write(columns(sigma=[1.0, 2.0, 3.0], hess=[4.0] * 3), step=20, source="adapter")
    files.write(columns(), step=1_000_000, source="training")
    files.write(columns(), step=20, source="training")
    names = [path.name for path in files.paths()]
    assert names == ["step-000020.parquet", "step-1000000.parquet", "adapter.parquet"]
    frame = files.read()
    assert frame["step"].tolist() == [20] * 3 + [1_000_000] * 3 + [20] * 3
    assert frame["source"].tolist() == ["training"] * 6 + ["adapter"] * 3
    assert frame["layer"].isna().tolist() == [False, False, True] * 3
    assert frame["hess"].notna().tolist() == [False] * 6 + [True] * 3
    for i, name in enumerate(FISHER_COLUMNS):
        assert frame[name].tolist() == [0.0 + i, 1.0 + i, 2.0 + i] * 3


def test_a_second_measurement_of_a_step_replaces_the_first(tmp_path: Path) -> None:
    files = FisherFiles(tmp_path)
    files.write(columns(), step=5, source="training")
    files.write(columns(2), step=5, source="training")
    assert len(files.read()) == 2
    assert [path.name for path in files.folder.iterdir()] == ["step-000005.parquet"]


def test_every_column_says_what_it_is(tmp_path: Path) -> None:
    path = FisherFiles(tmp_path).write(columns(), step=5, source="training")
    for field in pq.read_schema(path):
        assert field.metadata[b"meaning"]
        assert b"unit" in field.metadata or str(field.type) != "float"


def test_plain_pandas_reads_it(tmp_path: Path) -> None:
    path = FisherFiles(tmp_path).write(columns(), step=5, source="training")
    assert pd.read_parquet(path)["fisher_example"].tolist() == [0, 1, 2]


def test_nothing_and_damage_are_said(tmp_path: Path) -> None:
    files = FisherFiles(tmp_path)
    assert files.paths() == []
    with pytest.raises(LogError, match=r"no Fisher .* take it with: vilora fisher"):
        files.read()
    path = files.write(columns(), step=5, source="training")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(LogError, match=r"step-000005.parquet is damaged"):
        files.read()


def test_what_somebody_else_put_there_is_left_alone(tmp_path: Path) -> None:
    files = FisherFiles(tmp_path)
    files.write(columns(), step=5, source="training")
    (files.folder / "example_fisher.parquet").write_text("a table of vilora fisher")
    assert len(files.read()) == 3


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "fisher").write_text("")
    with pytest.raises(LogError, match="cannot write"):
        FisherFiles(tmp_path).write(columns(), step=5, source="training")
