"""Every correlation equals that of scipy, pair by pair."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tests.log.synthetic import Written, modules, write_run
from vilora_analysis.analysis import METHODS, correlation, correlations
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import open_run

SCIPY: dict[str, Callable[[Any, Any], Any]] = {
    "spearman": stats.spearmanr,
    "kendall": stats.kendalltau,
    "pearson": stats.pearsonr,
}
SCORES = ("snr", "mean_abs", "inverse_std", "sensitivity")


def tied_scores(steps: int, triplets: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Related scores: a continuous one, two with ties, one of tiny numbers."""
    generator = np.random.default_rng(seed)
    base = generator.normal(size=(steps, triplets))
    return {
        "score.snr": base,
        "score.mean_abs": np.round(base + 0.5 * generator.normal(size=base.shape), 1),
        "score.inverse_std": generator.integers(0, 4, size=base.shape),
        "score.sensitivity": 1e-30 * np.exp(-base + generator.normal(size=base.shape)),
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Six steps in three parts."""
    return write_run(
        tmp_path_factory.mktemp("correlation") / "run",
        steps=range(2, 14, 2),
        every=2,
        flush_after=(4, 8),
        scores=SCORES,
        columns=tied_scores(6, 20),
    )


def value_by_scipy(written: Written, row: Any, rows: Any = slice(None)) -> float:
    at = written.steps.index(row.step)
    a, b = (written.values[f"score.{s}"][at][rows] for s in (row.score_a, row.score_b))
    # in double precision, as the analysis; the numbers themselves are those of the log
    found = SCIPY[row.method](a.astype(np.float64), b.astype(np.float64))
    return float(found.statistic)


def test_every_pair_at_every_step_is_that_of_scipy(written: Written) -> None:
    frame = correlations(open_run(written.path), methods=tuple(METHODS))
    expected = itertools.product(written.steps, METHODS, itertools.combinations(SCORES, 2))
    key = ["step", "method", "score_a", "score_b"]
    assert set(frame[key].itertuples(index=False, name=None)) == {
        (step, method, *pair) for step, method, pair in expected
    }
    assert len(frame) == 6 * 3 * 6
    for row in frame.itertuples():
        assert row.value == pytest.approx(value_by_scipy(written, row), abs=1e-12), row
    assert list(frame) == ["step", "group", "method", "score_a", "score_b", "value", "n"]
    assert set(frame["group"]) == {"all"}
    assert set(frame["n"]) == {20}


def test_by_matrix_is_a_plain_groupby(written: Written) -> None:
    run = open_run(written.path)
    frame = correlations(run, methods=tuple(METHODS), by="matrix", steps=[4, 10])
    rows = run.triplets(steps=[4, 10])
    for (step, matrix), group in rows.groupby(["step", "matrix"], observed=True):
        chosen = frame[(frame["step"] == step) & (frame["group"] == matrix)]
        assert len(chosen) == 3 * 6
        assert set(chosen["n"]) == {len(group)}
        for row in chosen.itertuples():
            a, b = (group[f"score.{s}"].astype(float) for s in (row.score_a, row.score_b))
            if len(set(a)) == 1 or len(set(b)) == 1:
                assert np.isnan(row.value), row
            else:
                assert row.value == pytest.approx(a.corr(b, method=row.method), abs=1e-9), row
    assert list(dict.fromkeys(frame["group"])) == ["W_o", "W_q", "W_f2", "pooler.dense"]


def test_a_constant_score_has_no_correlation(tmp_path: Path) -> None:
    written = write_run(
        tmp_path / "run",
        scores=SCORES,
        columns={"score.snr": 0.1, "score.mean_abs": 0.0, "score.sensitivity": 1e30},
    )
    frame = correlations(open_run(written.path), methods=tuple(METHODS))
    assert len(frame) == 5 * 3 * 6
    assert frame["value"].isna().all()


def test_a_score_constant_at_one_step_only_is_undefined_there_only(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 20))
    values[1] = 7.0
    run = open_run(write_run(tmp_path / "run", steps=(1, 2, 3), columns={"score.snr": values}).path)
    frame = correlations(run, methods=tuple(METHODS))
    assert frame.groupby("step")["value"].apply(lambda v: v.isna().sum()).to_dict() == {
        1: 0,
        2: 3,
        3: 0,
    }


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1.0, 1e37])
def test_no_scale_under_or_overflows(tmp_path: Path, scale: float) -> None:
    values = np.random.default_rng(1).uniform(1, 2, size=(2, 1, 20))
    columns = {"score.snr": values[0] * scale, "score.mean_abs": values[1] * scale}
    written = write_run(tmp_path / "run", steps=(1,), columns=columns)
    for row in correlations(open_run(written.path), methods=tuple(METHODS)).itertuples():
        a, b = (written.values[f"score.{s}"][0].astype(float) / scale for s in ("snr", "mean_abs"))
        assert row.value == pytest.approx(SCIPY[row.method](a, b).statistic, abs=1e-9), row.method


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_squares_of_any_scale_neither_vanish_nor_explode(scale: float) -> None:
    values = np.random.default_rng(1).normal(size=(1, 20, 2))
    expected = stats.pearsonr(values[0, :, 0], values[0, :, 1]).statistic
    assert METHODS["pearson"](values * scale)[0, 0, 1] == pytest.approx(expected, abs=1e-12)


def test_many_triplets_are_compared_alike(tmp_path: Path) -> None:
    rows = modules(1, ("W_o",), rank=598)
    written = write_run(
        tmp_path / "run",
        steps=(1, 2),
        rows=rows,
        scores=SCORES,
        columns=tied_scores(2, 600, seed=3),
    )
    frame = correlations(open_run(written.path), methods=tuple(METHODS))
    assert set(frame["n"]) == {600}
    assert correlation._PAIRWISE < 600
    for row in frame.itertuples():
        assert row.value == pytest.approx(value_by_scipy(written, row), abs=1e-12), row


few_values = arrays(np.float64, (2, 9, 3), elements=st.integers(-3, 3).map(float))


@settings(max_examples=50, deadline=None)
@given(values=few_values)
def test_all_methods_are_scipys_for_any_ties(values: np.ndarray) -> None:
    for method, compute in METHODS.items():
        matrices = compute(values)
        for step, a, b in itertools.product(range(2), range(3), range(3)):
            x, y = values[step, :, a], values[step, :, b]
            if a == b:
                continue
            if np.ptp(x) == 0 or np.ptp(y) == 0:
                assert np.isnan(matrices[step, a, b]), method
            else:
                expected = SCIPY[method](x, y).statistic
                assert matrices[step, a, b] == pytest.approx(expected, abs=1e-12), method


@settings(max_examples=30, deadline=None)
@given(values=few_values)
def test_both_ways_to_kendalls_tau_agree(values: np.ndarray) -> None:
    for step in values:
        pairs, ordered = correlation._kendall_pairs(step), correlation._kendall_sorted(step)
        off = ~np.eye(3, dtype=bool)
        np.testing.assert_allclose(pairs[off], ordered[off], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(values=arrays(np.float64, (1, 12, 2), elements=st.integers(-50, 50).map(float)))
def test_rank_correlations_see_only_the_order(values: np.ndarray) -> None:
    stretched = values.copy()
    stretched[..., 0] = np.exp(values[..., 0])
    for method in ("spearman", "kendall"):
        before, after = METHODS[method](values)[0, 0, 1], METHODS[method](stretched)[0, 0, 1]
        assert after == pytest.approx(before, abs=1e-12, nan_ok=True)


def test_only_the_scores_and_steps_asked_for_are_compared(written: Written) -> None:
    run = open_run(written.path)
    frame = correlations(run, scores=["sensitivity", "snr"], steps=-1)
    assert frame[["step", "score_a", "score_b"]].to_numpy().tolist() == [[12, "sensitivity", "snr"]]
    assert frame["value"].iloc[0] == pytest.approx(
        value_by_scipy(written, next(frame.itertuples())), abs=1e-12
    )
    assert correlations(run, steps=slice(4, 9))["step"].unique().tolist() == [4, 6, 8]


def test_parts_do_not_matter(written: Written, tmp_path: Path) -> None:
    whole = write_run(
        tmp_path / "run",
        steps=written.steps,
        every=2,
        scores=SCORES,
        columns=tied_scores(6, 20),
    )
    split, joined = (
        correlations(open_run(w.path)).sort_values(
            ["step", "score_a", "score_b"], ignore_index=True
        )
        for w in (written, whole)
    )
    pd.testing.assert_frame_equal(split, joined)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"methods": ("spearman", "cosine")}, "spearman, cosine"),
        ({"scores": ["snr"]}, "got snr"),
        ({"scores": []}, "got no score"),
        ({"scores": ["snr", "snr"]}, "got snr"),
        ({"by": "layer"}, "layer"),
    ],
)
def test_a_question_without_an_answer_is_refused(
    written: Written, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=f"at least two scores.*{said}"):
        correlations(open_run(written.path), **asked)


def test_a_score_that_was_not_recorded_is_named(written: Written) -> None:
    with pytest.raises(LogError, match=r"has no column score\.luck; it has: .*score\.snr"):
        correlations(open_run(written.path), scores=["snr", "luck"])


def test_a_run_without_steps_gives_the_same_columns(written: Written, tmp_path: Path) -> None:
    empty = correlations(open_run(write_run(tmp_path / "run", steps=()).path))
    assert empty.empty
    assert list(empty) == list(correlations(open_run(written.path), steps=2))


def test_scores_go_by_their_published_names_too(written: Written) -> None:
    run = open_run(written.path)
    pd.testing.assert_frame_equal(
        correlations(run, scores=["SNR", "ipt", "sensitivity"]),
        correlations(run, scores=["snr", "sensitivity"]),
    )
