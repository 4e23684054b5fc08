"""A user's own files: formats, columns, labels, and what is said of mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.tiny_data import sentences
from vilora_analysis.errors import ConfigError
from vilora_analysis.training import configure
from vilora_analysis.training.own_data import read_own
from vilora_analysis.training.run import train

WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "a.csv": lambda frame, path: frame.to_csv(path, index=False),
    "a.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "a.json": lambda frame, path: frame.to_json(path, orient="records"),
    "a.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "a.parquet": lambda frame, path: frame.to_parquet(path),
}


def rows(labels: list[Any]) -> pd.DataFrame:
    texts = ["NA, she said", "null", *sentences(len(labels))]  # words that a reader may take away
    return pd.DataFrame({"text": texts[: len(labels)], "other": 1, "mood": labels})


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("labels", "classes", "ids"),
    [
        (["sad", "glad", "sad", "mad"], ("glad", "mad", "sad"), [2, 0, 2, 1]),
        ([3, 1, 1, 3], ("1", "3"), [1, 0, 0, 1]),
        ([True, False, False, True], ("False", "True"), [1, 0, 0, 1]),
    ],
)
def test_every_format_gives_the_same_task(
    tmp_path: Path, name: str, labels: list[Any], classes: tuple[str, ...], ids: list[int]
) -> None:
    path = tmp_path / name
    WRITERS[name](rows(labels), path)
    task, frame, _ = read_own("mine", path, path, ["text"], "mood")
    assert task.labels == classes
    assert frame["label"].tolist() == ids
    assert frame["text"].tolist() == rows(labels)["text"].tolist()
    assert task.metrics == (("accuracy", "f1") if len(classes) == 2 else ("accuracy",))


@pytest.mark.parametrize("name", WRITERS)
def test_fractions_make_a_regression(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](rows([0.5, 1.0, 2.25, 3.0]), path)
    task, frame, _ = read_own("mine", path, path, ["text"], "mood")
    assert task.regression
    assert frame["label"].tolist() == [0.5, 1.0, 2.25, 3.0]


@pytest.mark.parametrize(
    ("train_labels", "other_labels", "columns", "message"),
    [
        (["a", "b"], ["a", "c"], ("text", "mood"), "label 'c', which the training rows have not"),
        (["a", "a"], ["a", "a"], ("text", "mood"), "one label only, 'a'"),
        (["a", "b"], ["a", "b"], ("words", "mood"), r"no column words; it has: text, other, mood"),
        (["a", "b"], ["a", "b"], ("text", "label"), r"no column label.*--label-column"),
        (["a", None], ["a", "b"], ("text", "mood"), "1 rows without a label"),
        ([0.5, 1.0], ["a", "b"], ("text", "mood"), "a label that is no number"),
    ],
)
def test_mistakes_are_said(
    tmp_path: Path,
    train_labels: list[Any],
    other_labels: list[Any],
    columns: tuple[str, str],
    message: str,
) -> None:
    paths = (tmp_path / "train.csv", tmp_path / "validation.csv")
    for path, labels in zip(paths, (train_labels, other_labels), strict=True):
        rows(labels).to_csv(path, index=False)
    with pytest.raises(ConfigError, match=message):
        read_own("mine", *paths, [columns[0]], columns[1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "x", r"must end with one of: \.csv"),
        ("a.parquet", "x", "cannot be read"),
        ("a.json", "{", "cannot be read"),
        ("a.csv", "", "cannot be read"),
        ("a.csv", "text,mood\n", "has no rows"),
    ],
)
def test_unreadable_files_are_said(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_own("mine", tmp_path / name, tmp_path / name, ["text"], "mood")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_own("mine", tmp_path / "none.csv", tmp_path / "none.csv", ["text"], "mood")


def test_a_run_on_own_files(encoder_path: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "train.csv", tmp_path / "validation.csv"]
    labels = ["good" if i % 6 in (0, 2, 4) else "bad" for i in range(48)]
    frame = pd.DataFrame({"left": sentences(48), "right": sentences(48, 1), "mood": labels})
    for path in paths:
        frame.to_csv(path, index=False)
    config = configure(
        task="moods",
        train_file=paths[0],
        validation_file=paths[1],
        text_columns=("left", "right"),
        label_column="mood",
        model=str(encoder_path),
        steps=10,
        batch_size=6,
        max_length=32,
        out=tmp_path / "run",
    )
    run = train(config, progress=False)
    assert {"accuracy", "f1"} <= set(run.manifest.results)
    assert run.manifest.config["task"] == "moods"
    assert str(tmp_path) not in str(run.manifest.config)


def test_texts_that_are_missing_are_said(encoder_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": ["a", None, "b"], "mood": [0, 1, 0]}).to_parquet(path)
    config = configure(
        task="moods",
        train_file=path,
        validation_file=path,
        text_columns=("text",),
        label_column="mood",
        model=str(encoder_path),
        out=tmp_path / "run",
    )
    with pytest.raises(ConfigError, match=r"1 rows whose text is no text, the first row 1: nan"):
        train(config, progress=False)
