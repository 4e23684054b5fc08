"""A tiny local encoder with a tokenizer, and tiny tasks in GLUE's layout, as fixtures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import transformers

_TEXT = "good bad fine poor great awful film plot cast score very not is was a the and it"
WORDS = list(_TEXT.split())


@pytest.fixture(scope="session")
def encoder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save_encoder(tmp_path_factory.mktemp("encoder"), dropout=0.0)


@pytest.fixture(scope="session")
def dropout_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draws random numbers in every forward pass of training."""
    return _save_encoder(tmp_path_factory.mktemp("dropout"), dropout=0.1)


def _save_encoder(path: Path, dropout: float) -> Path:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (path / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    from tests.conftest import tiny_bert

    tiny_bert(dropout=dropout).save_pretrained(path)
    return path


def sentences(rows: int, offset: int = 0) -> list[str]:
    return [
        f"the {WORDS[6 + i % 4]} is {WORDS[(i + offset) % 6]} and {WORDS[6 + i // 4 % 4]} was it"
        for i in range(rows)
    ]


@pytest.fixture(scope="session")
def glue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sst2, stsb and mnli: one text, a regression, and two validation splits."""
    folder = tmp_path_factory.mktemp("glue")
    labels = [int(i % 6 in (0, 2, 4)) for i in range(48)]
    frames = {
        "sst2/train": pd.DataFrame({"sentence": sentences(48), "label": labels}),
        "sst2/validation": pd.DataFrame({"sentence": sentences(24), "label": labels[:24]}),
        "stsb/train": _pairs("sentence1", "sentence2", [i % 6 / 1.2 for i in range(48)]),
        "stsb/validation": _pairs("sentence1", "sentence2", [i % 6 / 1.2 for i in range(24)]),
        "mnli/train_subset": _pairs("premise", "hypothesis", [i % 3 for i in range(48)]),
        "mnli/validation_matched": _pairs("premise", "hypothesis", [i % 3 for i in range(24)]),
        "mnli/validation_mismatched": _pairs("premise", "hypothesis", [i % 3 for i in range(24)]),
        "qqp/train_subset": _pairs("question1", "question2", [i % 2 for i in range(48)]),
        "qqp/heldout_subset": _pairs("question1", "question2", [i % 2 for i in range(24)]),
    }
    for name, frame in frames.items():
        path = folder / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        frame.to_parquet(path)
    return folder


def _pairs(first: str, second: str, labels: list[float]) -> pd.DataFrame:
    rows = len(labels)
    return pd.DataFrame({first: sentences(rows), second: sentences(rows, 1), "label": labels})
