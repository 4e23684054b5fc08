"""Rows of a task: found, checked, and drawn in an order that depends on the seed alone."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilora_analysis.errors import ConfigError
from vilora_analysis.training.data import batches, epoch_order, load_splits
from vilora_analysis.training.tasks import TASKS


@pytest.mark.parametrize(
    ("task", "validation"),
    [
        ("sst2", ["validation"]),
        ("mnli", ["validation_matched", "validation_mismatched"]),
        ("qqp", ["heldout_subset"]),
    ],
)
def test_splits_are_found_by_their_names(glue: Path, task: str, validation: list[str]) -> None:
    splits = load_splits(TASKS[task], glue)
    assert len(splits.train) == 48
    assert list(splits.validation) == validation


def test_the_embedded_task_needs_no_files() -> None:
    splits = load_splits(TASKS["acceptability"], None)
    assert set(splits.train.columns) >= {"sentence", "label", "phenomenon"}
    assert len(splits.validation["validation"]) == 1000


def write(folder: Path, frame: pd.DataFrame) -> Path:
    (folder / "sst2").mkdir()
    for split in ("train", "validation"):
        frame.to_parquet(folder / "sst2" / f"{split}.parquet")
    return folder


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"text": ["a"], "label": [0]}), "lacks the columns sentence; it has: text"),
        (pd.DataFrame({"sentence": ["a"], "label": [2]}), "labels 2; expected 0 to 1"),
        (pd.DataFrame({"sentence": ["a"], "label": [-1]}), "labels -1; expected"),
        (pd.DataFrame({"sentence": [], "label": []}), "has no rows"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_splits(TASKS["sst2"], write(tmp_path, frame))


def test_a_regression_needs_numbers(tmp_path: Path) -> None:
    (tmp_path / "stsb").mkdir()
    frame = pd.DataFrame({"sentence1": ["a"], "sentence2": ["b"], "label": [np.nan]})
    for split in ("train", "validation"):
        frame.to_parquet(tmp_path / "stsb" / f"{split}.parquet")
    with pytest.raises(ConfigError, match="labels that are not numbers"):
        load_splits(TASKS["stsb"], tmp_path)


def test_missing_folders_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no folder .*must hold a folder named 'sst2'"):
        load_splits(TASKS["sst2"], tmp_path)
    (tmp_path / "sst2").mkdir()
    with pytest.raises(ConfigError, match=r"holds no train\.parquet or train_subset\.parquet"):
        load_splits(TASKS["sst2"], tmp_path)
    (tmp_path / "sst2" / "train.parquet").write_text("no Parquet")
    (tmp_path / "sst2" / "validation.parquet").write_text("no Parquet")
    with pytest.raises(ConfigError, match=r"validation\.parquet is not a Parquet file"):
        load_splits(TASKS["sst2"], tmp_path)


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 5))
def test_each_pass_takes_no_row_twice(rows: int, size: int, seed: int) -> None:
    per_pass = max(rows // min(size, rows), 1)
    drawn = list(itertools.islice(batches(rows, size, seed=seed), 3 * per_pass))
    assert all(len(batch) == min(size, rows) for batch in drawn)
    for start in range(0, len(drawn), per_pass):
        taken = np.concatenate(drawn[start : start + per_pass])
        assert len(set(taken)) == len(taken)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    assert epoch_order(20, 1, 2).tolist() == epoch_order(20, 1, 2).tolist()
    assert epoch_order(20, 1, 2).tolist() != epoch_order(20, 1, 3).tolist()
    assert epoch_order(20, 1, 2).tolist() != epoch_order(20, 2, 2).tolist()
