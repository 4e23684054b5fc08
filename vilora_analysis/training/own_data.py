"""Rows of the user's own: CSV, JSON or Parquet, with columns named by the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vilora_analysis.errors import ConfigError
from vilora_analysis.training.tasks import Task

__all__ = ["read_own"]


def read_own(
    name: str, train: Path, validation: Path, texts: Sequence[str], label: str
) -> tuple[Task, pd.DataFrame, pd.DataFrame]:
    """Make a task of two files.

    Labels that are fractions make a regression, judged by its correlations; others are classes in
    sorted order, judged by accuracy and, where there are two, F1 of the second.

    Parameters
    ----------
    name
        What to call the task.
    train, validation
        Files to train on, and to evaluate on.
    texts
        One or two columns of text.
    label
        Column of the label.

    Returns
    -------
    task : Task
        With the classes' names as they are in the file.
    train, validation : DataFrame
        With the text columns, and ``label`` as numbers.

    Raises
    ------
    ConfigError
        If a file cannot be read, a column is not there, a label is missing or appears only in the
        validation rows, or there is but one class.
    """
    files = (train, validation)
    frames = [_columns(path, [*texts, label]) for path in files]
    labels = [frame[label] for frame in frames]
    if pd.api.types.is_float_dtype(labels[0]) and (labels[0] % 1 != 0).any():
        task = Task(name, tuple(texts), (), ("pearson", "spearman"))
        numbers = [_numbers(column, path) for column, path in zip(labels, files, strict=True)]
    else:
        classes = sorted(labels[0].unique(), key=lambda value: (str(type(value)), value))
        metrics = ("accuracy", "f1") if len(classes) == 2 else ("accuracy",)
        task = Task(name, tuple(texts), tuple(map(str, classes)), metrics)
        if len(classes) < 2:
            raise ConfigError(f"{train} has one label only, {str(classes[0])!r}; nothing to learn")
        numbers = [_ids(column, classes, path) for column, path in zip(labels, files, strict=True)]
    ready = [
        frame[list(texts)].assign(label=column)
        for frame, column in zip(frames, numbers, strict=True)
    ]
    return task, ready[0], ready[1]


def _json(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8") as file:
        lines = file.read(1) != "["
    return pd.read_json(path, lines=lines, dtype=False)


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": lambda path: pd.read_csv(path, keep_default_na=False),
    ".tsv": lambda path: pd.read_csv(path, sep="\t", keep_default_na=False),
    ".json": _json,
    ".jsonl": _json,
    ".parquet": pd.read_parquet,
}


def _columns(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path} must end with one of: {', '.join(_READERS)}")
    try:
        frame = reader(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ConfigError(
            f"{path} has no column {', '.join(missing)}; it has: "
            f"{', '.join(map(str, frame.columns))}. Name yours with --text-columns, --label-column"
        )
    if frame.empty:
        raise ConfigError(f"{path} has no rows")
    empty = frame[columns[-1]].isna() | (frame[columns[-1]].astype(str) == "")
    if empty.any():
        raise ConfigError(f"{path} has {int(empty.sum())} rows without a label; drop them")
    return frame


def _ids(column: pd.Series[Any], classes: Sequence[Any], path: Path) -> pd.Series[Any]:
    ids = column.map({value: i for i, value in enumerate(classes)})
    if ids.isna().any():
        strange = column[ids.isna()].iloc[0]
        raise ConfigError(
            f"{path} has the label {str(strange)!r}, which the training rows have not; they have: "
            f"{', '.join(map(str, classes))}"
        )
    return ids.astype("int64")


def _numbers(column: pd.Series[Any], path: Path) -> pd.Series[Any]:
    try:
        return column.astype("float64")
    except ValueError as error:
        raise ConfigError(f"{path} has a label that is no number: {error}") from None
