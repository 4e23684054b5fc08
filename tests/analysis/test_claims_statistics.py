"""The sign-flip test against enumeration by hand and scipy; its interval; what it can reach."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vilora_analysis.analysis.claims.power import POWER, detectable
from vilora_analysis.analysis.claims.statistics import (
    holm,
    pairs_needed,
    sign_flip,
    sign_flip_interval,
    smallest_p,
    t_interval,
)

differences = st.lists(
    st.integers(-8, 8).map(lambda x: x / 872), min_size=1, max_size=8
)  # multiples of one sentence of 872, so that sums tie and zeros occur


def enumerated(values: np.ndarray, alternative: str) -> float:
    """Every vector of signs, one after the other."""
    sums = [np.dot(signs, values) for signs in itertools.product((1, -1), repeat=len(values))]
    slack = 1e-12
    above = np.mean([total >= values.sum() - slack for total in sums])
    below = np.mean([total <= values.sum() + slack for total in sums])
    one = {"greater": above, "less": below, "two-sided": min(above, below)}[alternative]
    return float(min(1.0, 2 * one))


@settings(max_examples=60, deadline=None)
@given(differences, st.sampled_from(["two-sided", "greater", "less"]))
def test_it_is_the_share_of_all_vectors_of_signs(values: list[float], alternative: str) -> None:
    array = np.array(values)
    assert sign_flip(array, alternative) == pytest.approx(enumerated(array, alternative))


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_it_agrees_with_scipy(alternative: str) -> None:
    values = np.random.default_rng(3).normal(0.4, 1, size=9)
    theirs = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
    )
    doubled = theirs.pvalue if alternative == "two-sided" else min(1, 2 * theirs.pvalue)
    assert sign_flip(values, alternative) == pytest.approx(doubled)


def test_many_pairs_are_sampled_and_near_student() -> None:
    values = np.random.default_rng(0).normal(0.35, 1, size=40)
    assert sign_flip(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.01)
    assert sign_flip(values) == sign_flip(values)
    assert sign_flip_interval(values) == pytest.approx(t_interval(values), abs=0.05)


@given(st.lists(st.floats(-10, 10, allow_nan=False), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_five_pairs_never_reach_the_level(values: list[float]) -> None:
    array = np.array(values)
    for alternative in ("two-sided", "greater", "less"):
        assert sign_flip(array, alternative) >= smallest_p(len(array)) > 0.05
    assert sign_flip_interval(array) == (-math.inf, math.inf)
    assert detectable(len(array), 1.0) == math.inf


def test_six_pairs_of_one_sign_reach_it() -> None:
    assert sign_flip(np.arange(1.0, 7.0)) == smallest_p(6) == 2 / 64
    assert pairs_needed(0.05) == 6


@pytest.mark.parametrize("level", [0.2, 0.05, 0.01, 0.05 / 7, 0.0625])
def test_pairs_needed_is_the_first_whose_least_p_will_do(level: float) -> None:
    n = pairs_needed(level)
    assert smallest_p(n) <= level < smallest_p(n - 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=6, max_size=8, unique=True))
def test_the_interval_is_what_the_test_does_not_refuse(values: list[int]) -> None:
    array = np.array(values, dtype=float)
    low, high = sign_flip_interval(array)
    for shift in np.linspace(array.min() - 1, array.max() + 1, 41):
        away = min(abs(shift - low), abs(shift - high))
        if away > 1e-6:
            assert (low < shift < high) == (sign_flip(array - shift) > 0.05)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    samples = 2 + generator.laplace(size=(800, 7))  # symmetric, not normal
    inside = [low <= 2 <= high for low, high in map(sign_flip_interval, samples)]
    exact = 1 - 2 * 3 / 128  # the third of 127 means from either end
    assert np.mean(inside) == pytest.approx(exact, abs=3 * math.sqrt(exact * (1 - exact) / 800))


def test_students_interval_is_scipys() -> None:
    values = np.random.default_rng(1).normal(size=6)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert t_interval(values) == pytest.approx((theirs.low, theirs.high))
    assert np.isnan(t_interval(values[:1])).all()


def test_holm_by_hand() -> None:
    """Four tests: 4 x 0.01, then 3 x 0.012 but no less than before, 2 x 0.02 likewise, 0.9."""
    expected = [0.04, 0.04, 0.9, math.nan, 0.04]
    assert holm([0.01, 0.02, 0.9, math.nan, 0.012]) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("pairs", [6, 8, 14])
def test_what_is_detectable_is_found_four_times_out_of_five(pairs: int) -> None:
    effect = detectable(pairs, 2.0)
    samples = np.random.default_rng(99).normal(effect, 2.0, size=(400, pairs))
    found = np.mean([sign_flip(sample) <= 0.05 and sample.mean() > 0 for sample in samples])
    assert found == pytest.approx(POWER, abs=0.06)


@pytest.mark.parametrize("pairs", [6, 14])
def test_a_margin_within_reach_is_shown_four_times_out_of_five(pairs: int) -> None:
    margin = detectable(pairs, 2.0, kind="equivalence")
    assert margin > detectable(pairs, 2.0)
    samples = np.random.default_rng(98).normal(0, 2.0, size=(400, pairs))
    shown = [
        max(sign_flip(sample + margin, "greater"), sign_flip(sample - margin, "less")) <= 0.05
        for sample in samples
    ]
    assert np.mean(shown) == pytest.approx(POWER, abs=0.07)


def test_nothing_is_said_of_nothing() -> None:
    assert math.isnan(sign_flip(np.empty(0)))
    assert math.isnan(sign_flip(np.array([1.0, math.nan])))
    assert math.isnan(detectable(6, math.nan))
