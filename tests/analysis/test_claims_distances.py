"""Distances of rank distributions, their evenness, and the exchange test by brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from vilora_analysis.analysis.claims.distances import distance, evenness, excess, random_ranks


def test_distance_is_total_variation() -> None:
    a, b = np.array([3.0, 1.0, 0.0]), np.array([1.0, 1.0, 2.0])
    by_subsets = max(
        abs(a[list(s)].sum() / 4 - b[list(s)].sum() / 4)
        for size in range(4)
        for s in itertools.combinations(range(3), size)
    )
    assert distance(a, b) == pytest.approx(by_subsets) == pytest.approx(0.5)


def test_evenness_is_scipys_entropy() -> None:
    ranks = np.array([6.0, 0.0, 3.0, 1.0])
    assert evenness(ranks) == pytest.approx(stats.entropy(ranks, base=4))
    assert math.isnan(evenness(np.array([6.0])))
    assert math.isnan(evenness(np.zeros(3)))


def test_random_ranks_have_the_budget_and_the_hypergeometric_mean() -> None:
    sizes = np.array([2, 6, 4])
    drawn = random_ranks(sizes, 8, draws=4000)
    assert (drawn.sum(axis=1) == 8).all()
    assert (drawn <= sizes).all()
    assert drawn.mean(axis=0) == pytest.approx(8 * sizes / 12, abs=0.05)


def naive_excess(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    pairs = [(i, j) for i in range(len(a)) for j in range(len(a)) if i != j]
    cross = np.mean([distance(a[i], b[j]) for i, j in pairs])
    within = [distance(x[i], x[j]) for x in (a, b) for i, j in pairs]
    return float(100 * (cross - np.mean(within)))


def test_excess_against_every_exchange() -> None:
    generator = np.random.default_rng(2)
    a = [generator.integers(0, 7, 5).astype(float) for _ in range(4)]
    b = [np.add(generator.integers(0, 7, 5), [4, 0, 0, 0, 0]).astype(float) for _ in range(4)]
    observed = naive_excess(a, b)
    null = []
    for flips in itertools.product((False, True), repeat=4):
        x = [v if f else u for u, v, f in zip(a, b, flips, strict=True)]
        y = [u if f else v for u, v, f in zip(a, b, flips, strict=True)]
        null.append(naive_excess(x, y))
    outcome = excess(a, b)
    assert outcome.effect == pytest.approx(observed)
    assert outcome.p == pytest.approx(np.mean(np.array(null) >= observed - 1e-9))
    assert outcome.smallest_p == 2 / 2**4
    assert outcome.detectable == math.inf


def test_excess_tells_two_systems_from_one() -> None:
    generator = np.random.default_rng(4)
    ranks = generator.integers(0, 7, size=(14, 9)).astype(float)
    apart = excess(list(ranks[:7]), list(np.add(ranks[7:], [20, *[0] * 8])))
    assert apart.p == apart.smallest_p == 2 / 2**7
    assert apart.low > 0
    same = excess(list(ranks[:7]), list(ranks[7:]))
    assert same.p > 0.05
    assert same.low < 0 < same.high
    assert 0 < same.detectable < math.inf


def test_the_jackknife_of_a_mean_is_students() -> None:
    """Two seeds leave no interval; with more it is centred on the effect."""
    generator = np.random.default_rng(6)
    a, b = (list(generator.integers(1, 7, size=(6, 4)).astype(float)) for _ in range(2))
    found = excess(a, b)
    assert (found.low + found.high) / 2 == pytest.approx(found.effect)
    two = excess(a[:2], b[:2])
    assert math.isnan(two.low)
    assert two.p >= 0.5
