import hashlib
import os
import subprocess
import sys
from collections import Counter
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vilora_analysis.training.acceptability import generate, phenomena
from vilora_analysis.training.acceptability.agreement import REFLEXIVE
from vilora_analysis.training.acceptability.draw import Draw
from vilora_analysis.training.acceptability.lexicon import CLOSED_CLASS, LEXICONS, Split
from vilora_analysis.training.acceptability.phenomena import PHENOMENA

# Changing a word or a rule changes the data; results on the old data no longer compare.
DEFAULT_DIGEST = "a85173c43427f48cb629e7e8fbff612395821c905a0112ff8f695d54fecdb6b3"

SPLITS = get_args(Split)


@pytest.fixture(scope="module")
def default() -> dict[str, pd.DataFrame]:
    return generate()


def words(sentence: str) -> list[str]:
    return sentence.lower().removesuffix(".").split()


def digest(data: dict[str, pd.DataFrame]) -> str:
    rows = [
        f"{split}\t{row.sentence}\t{row.label}\t{row.phenomenon}\t{row.pair}\t{row.idx}"
        for split in sorted(data)
        for row in data[split].itertuples()
    ]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def unigram_accuracy(train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Accuracy of naive Bayes on word counts, with Laplace smoothing."""
    counts = {label: Counter[str]() for label in (0, 1)}
    for sentence, label in zip(train["sentence"], train["label"], strict=True):
        counts[label].update(words(sentence))
    vocabulary = counts[0].keys() | counts[1].keys()
    weight = {word: np.log((counts[1][word] + 1) / (counts[0][word] + 1)) for word in vocabulary}
    score = np.array([sum(weight.get(word, 0.0) for word in words(s)) for s in test["sentence"]])
    return float(np.mean((score > 0) == (test["label"] == 1)))


def test_default_data_is_frozen(default: dict[str, pd.DataFrame]) -> None:
    assert digest(default) == DEFAULT_DIGEST


def test_default_sizes_and_types(default: dict[str, pd.DataFrame]) -> None:
    assert {split: len(frame) for split, frame in default.items()} == {
        "train": 4000,
        "validation": 1000,
    }
    for frame in default.values():
        assert list(frame.columns) == ["sentence", "label", "phenomenon", "pair", "idx"]
        assert all(frame[column].dtype == np.int64 for column in ("label", "pair", "idx"))


def test_same_under_another_hash_seed() -> None:
    code = (
        "from vilora_analysis.training.acceptability import generate\n"
        "print(generate(train_rows=76, dev_rows=38)['train'].to_csv())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == generate(train_rows=76, dev_rows=38)["train"].to_csv().strip()


def test_seeds_differ() -> None:
    first, second = (generate(train_rows=200, dev_rows=100, seed=seed) for seed in (0, 1))
    assert digest(first) != digest(second)


@settings(max_examples=12, deadline=None)
@given(train_pairs=st.integers(1, 300), dev_pairs=st.integers(1, 100), seed=st.integers(-5, 2**40))
def test_invariants(train_pairs: int, dev_pairs: int, seed: int) -> None:
    sizes = {"train": 2 * train_pairs, "validation": 2 * dev_pairs}
    data = generate(train_rows=sizes["train"], dev_rows=sizes["validation"], seed=seed)
    assert {split: len(frame) for split, frame in data.items()} == sizes
    everything = pd.concat(data.values())
    assert everything["sentence"].is_unique
    assert everything["sentence"].str.fullmatch(r"[A-Z][A-Za-z]*( [A-Za-z]+)+\.").all()
    for frame in data.values():
        assert frame["idx"].tolist() == list(range(len(frame)))
        pairs = frame.groupby("pair")
        assert all(sorted(labels) == [0, 1] for _, labels in pairs["label"])
        assert all(len(set(names)) == 1 for _, names in pairs["phenomenon"])
        counts = [int((frame["phenomenon"] == name).sum()) // 2 for name in phenomena()]
        assert sum(counts) == len(frame) // 2
        assert max(counts) - min(counts) <= 1


def test_content_words_are_disjoint(default: dict[str, pd.DataFrame]) -> None:
    assert not LEXICONS["train"].forms() & LEXICONS["validation"].forms()
    for split, frame in default.items():
        used = {word for sentence in frame["sentence"] for word in words(sentence)}
        lexicon = LEXICONS[split]  # type: ignore[index]
        assert not lexicon.forms() & CLOSED_CLASS
        assert used - CLOSED_CLASS <= lexicon.forms()


def test_lexicon_knows_every_inflection() -> None:
    forms = LEXICONS["train"].forms()
    assert {"write", "writes", "wrote", "written", "writing"} <= forms
    assert {"child", "children", "grabbing", "denied", "mary", "potatoes", "dresses"} <= forms


@pytest.mark.parametrize("name", phenomena())
@pytest.mark.parametrize("split", SPLITS)
def test_members_differ_in_one_place(split: Split, name: str) -> None:
    for seed in range(100):
        pair = PHENOMENA[name](Draw(split, seed))
        good, bad = (Counter(words(sentence)) for sentence in pair)
        assert pair.acceptable != pair.unacceptable
        # A form for another, an infinitive for a gerund, or the same words in another order.
        assert (good - bad).total() <= 2
        assert (bad - good).total() <= 2


def test_rows_are_shuffled(default: dict[str, pd.DataFrame]) -> None:
    for frame in default.values():
        half = frame.iloc[: len(frame) // 2]
        assert 0.4 < half["label"].mean() < 0.6
        assert set(half["phenomenon"]) == set(phenomena())
        neighbours = frame["pair"].diff().abs().eq(0).mean()
        assert neighbours < 0.01


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("agreement_across_phrase", ("is", "are")),
        ("agreement_across_relative", ("was", "were")),
        ("determiner_noun_agreement", ("this", "these")),
        ("existential_agreement", ("is", "are")),
        ("anaphor_gender", tuple(REFLEXIVE.values())),
        ("anaphor_number", ("themselves",)),
        ("filler_gap", ("that", "what")),
        ("many_much", ("many", "much")),
        ("quantifier_noun_agreement", ("every", "several")),
    ],
)
def test_forms_are_right_as_often_as_wrong(name: str, forms: tuple[str, ...]) -> None:
    pairs = [PHENOMENA[name](Draw("train", seed)) for seed in range(2000)]
    for form in forms:
        right = sum(form in words(pair.acceptable) for pair in pairs)
        wrong = sum(form in words(pair.unacceptable) for pair in pairs)
        assert right / (right + wrong) == pytest.approx(0.5, abs=0.05)


def test_counting_words_does_not_help(default: dict[str, pd.DataFrame]) -> None:
    train, validation = default["train"], default["validation"]
    assert unigram_accuracy(train, validation) <= 0.60
    for name in phenomena():
        accuracy = unigram_accuracy(
            train[train["phenomenon"] == name], validation[validation["phenomenon"] == name]
        )
        assert accuracy <= 0.75, name


@pytest.mark.parametrize("rows", [0, -2, 7])
@pytest.mark.parametrize("argument", ["train_rows", "dev_rows"])
def test_odd_or_no_rows(argument: str, rows: int) -> None:
    sizes = {"train_rows": 20, "dev_rows": 20} | {argument: rows}
    with pytest.raises(ValueError, match=rf"expected {argument} to be .* even .*got {rows}; .*ask"):
        generate(**sizes)


def test_more_rows_than_the_grammar_has() -> None:
    with pytest.raises(
        ValueError, match=r"expected dev_rows to be at most \d+, .*got 10000000; ask"
    ):
        generate(train_rows=20, dev_rows=10_000_000)
