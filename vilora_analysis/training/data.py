"""Rows of a task: from the embedded grammar, a folder of Parquet files, or the hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vilora_analysis.errors import ConfigError, require
from vilora_analysis.training.acceptability import CORE, generate
from vilora_analysis.training.own_data import read_own
from vilora_analysis.training.tasks import Task, get_task

if TYPE_CHECKING:
    from vilora_analysis.training.config import RunConfig

__all__ = ["Splits", "batches", "epoch_order", "load_splits", "load_task"]

_HUB = "nyu-mll/glue"
_EMBEDDED_ROWS = 20_000  # a demo sees each once: repeated sentences are learnt by heart


@dataclass(frozen=True)
class Splits:
    """Rows to train on, and rows to evaluate on by the name of their split."""

    train: pd.DataFrame
    validation: dict[str, pd.DataFrame]


def load_task(config: RunConfig) -> tuple[Task, Splits]:
    """Load the task a run is about: one of the known ones, or the user's own files.

    Raises
    ------
    ConfigError
        As :func:`load_splits`, and if all training rows have the same label.
    """
    if config.train_file is not None and config.validation_file is not None:
        task, train, validation = read_own(
            config.task,
            config.train_file,
            config.validation_file,
            config.text_columns,
            config.label_column,
        )
        splits = Splits(train, {"validation": validation})
        _check_splits(task, splits)
        return task, splits
    task = get_task(config.task)
    splits = load_splits(task, config.data_dir)
    seen = splits.train["label"].unique()
    if len(seen) < 2 and not task.regression:
        raise ConfigError(
            f"split 'train' of {task.name} has one label only, {seen[0]} "
            f"({task.labels[int(seen[0])]}); nothing to learn"
        )
    return task, splits


def load_splits(task: Task, data_dir: Path | None) -> Splits:
    """Load the rows of a task and check them.

    Parameters
    ----------
    task
        The task.
    data_dir
        Folder that holds a folder of Parquet files for the task; None takes the hub's.

    Raises
    ------
    ConfigError
        If a file, a column or a label is not what the task needs.
    """
    if task.name == "acceptability":
        frames = generate(train_rows=_EMBEDDED_ROWS, only=CORE)
        splits = Splits(frames["train"], {"validation": frames["validation"]})
    elif data_dir is not None:
        splits = _from_folder(task, data_dir / task.name)
    else:
        splits = _from_hub(task)
    _check_splits(task, splits)
    return splits


def _check_splits(task: Task, splits: Splits) -> None:
    for name, frame in {"train": splits.train, **splits.validation}.items():
        _check_rows(task, name, frame)


def _from_folder(task: Task, folder: Path) -> Splits:
    if not folder.is_dir():
        raise ConfigError(
            f"no folder {folder}; --data-dir must hold a folder named {task.name!r} with "
            "train.parquet and validation.parquet"
        )
    train = _first_file(folder, ("train", "train_subset"))
    wanted = [name for name in task.validation if (folder / f"{name}.parquet").exists()]
    held_out = (*task.validation, "validation", "heldout_subset")
    names = wanted or [_first_file(folder, held_out).stem]
    frames = {name: _read(folder / f"{name}.parquet") for name in names}
    return Splits(_read(train), frames)


def _first_file(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / f"{name}.parquet").exists():
            return folder / f"{name}.parquet"
    expected = " or ".join(f"{name}.parquet" for name in dict.fromkeys(names))
    raise ConfigError(f"{folder} holds no {expected}")


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not a Parquet file that can be read: {error}") from None


def _from_hub(task: Task) -> Splits:
    datasets = require("datasets", extra="train")
    try:
        loaded: Any = datasets.load_dataset(_HUB, task.name)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"cannot load {_HUB} ({task.name}) from the hub: {reason}. Give a local copy with "
            "--data-dir, or train on the embedded task with --task acceptability"
        ) from None
    validation = {name: loaded[name].to_pandas() for name in task.validation}
    return Splits(loaded["train"].to_pandas(), validation)


def _check_rows(task: Task, split: str, frame: pd.DataFrame) -> None:
    missing = [name for name in (*task.texts, "label") if name not in frame.columns]
    if missing:
        raise ConfigError(
            f"split {split!r} of {task.name} lacks the columns {', '.join(missing)}; it has: "
            f"{', '.join(map(str, frame.columns))}"
        )
    if frame.empty:
        raise ConfigError(f"split {split!r} of {task.name} has no rows")
    _refuse_missing_texts(task, split, frame)
    labels = frame["label"]
    if task.regression:
        if not np.isfinite(labels.to_numpy(dtype=float)).all():
            raise ConfigError(f"split {split!r} of {task.name} has labels that are not numbers")
    elif not labels.isin(range(task.outputs)).all():
        strange = sorted(set(labels.unique()) - set(range(task.outputs)))
        raise ConfigError(
            f"split {split!r} of {task.name} has labels {', '.join(map(str, strange[:3]))}; "
            f"expected 0 to {task.outputs - 1} ({', '.join(task.labels)})"
        )


def _refuse_missing_texts(task: Task, split: str, frame: pd.DataFrame) -> None:
    for column in task.texts:
        wrong = [i for i, value in enumerate(frame[column]) if not isinstance(value, str)]
        if wrong:
            raise ConfigError(
                f"split {split!r} of {task.name} has {len(wrong)} rows whose {column} is no text, "
                f"the first row {wrong[0]}: {frame[column].iloc[wrong[0]]!r}; drop or fill them"
            )


def epoch_order(rows: int, seed: int, epoch: int) -> np.ndarray:
    """Order of the rows in one pass over the data, a pure function of seed and epoch.

    Examples
    --------
    >>> sorted(epoch_order(4, seed=0, epoch=1).tolist())
    [0, 1, 2, 3]
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)


def batches(rows: int, batch_size: int, *, seed: int, done: int = 0) -> Iterator[np.ndarray]:
    """Row numbers of one batch after another, without end, each row once a pass.

    Parameters
    ----------
    rows, batch_size
        Rows to draw from, and rows a batch.
    seed
        Seed of the order.
    done
        Batches to leave out at the start: those that a run took before it was interrupted.
    """
    size = min(batch_size, rows)
    epoch, skipped = divmod(done, rows // size)
    while True:
        order = epoch_order(rows, seed, epoch)
        for start in range(skipped * size, rows - size + 1, size):
            yield order[start : start + size]
        epoch, skipped = epoch + 1, 0
