"""Measures of agreement, against plain definitions, enumeration and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vilora_analysis.analysis.shadow.agreement import (
    beyond_chance,
    jaccard,
    random_jaccard,
    random_rbo,
    rbo,
    rbo_tails,
    tail,
)

small_set = st.sets(st.integers(0, 9))


def naive_overlaps(first: list[object], second: list[object]) -> list[float]:
    """Agreement A_d = X_d / d at every depth."""
    depths = range(1, len(first) + 1)
    return [len(set(first[:d]) & set(second[:d])) / d for d in depths]


def naive_rbo(first: list[object], second: list[object], p: float) -> float:
    """Equation 30 of Webber, Moffat and Zobel (2010), term by term."""
    agreements = naive_overlaps(first, second)
    terms = [agreement * p**d for d, agreement in enumerate(agreements, start=1)]
    return agreements[-1] * p ** len(first) + (1 - p) / p * sum(terms)


def fast_rbo(first: list[int], second: list[int], p: float) -> float:
    places = [np.argsort(np.array(ranking)) for ranking in (first, second)]
    tails = rbo_tails(len(first), p)
    return float(rbo(tails[places[0]], tails[places[1]], p))


def of(a: set[int], b: set[int]) -> float:
    return float(jaccard(np.array(len(a & b)), np.array(len(a)), np.array(len(b))))


@given(a=small_set, b=small_set)
def test_jaccard_is_symmetric_and_1_for_the_same(a: set[int], b: set[int]) -> None:
    assert of(a, b) == of(b, a)
    assert of(a, a) == 1
    assert 0 <= of(a, b) <= 1
    if a | b:
        assert of(a, b) == pytest.approx(len(a & b) / len(a | b))


@pytest.mark.parametrize(("n", "a", "b"), [(5, 2, 3), (6, 3, 3), (4, 0, 2), (4, 4, 1), (3, 0, 0)])
def test_chance_is_the_mean_over_all_sets(n: int, a: int, b: int) -> None:
    first = set(range(a))
    others = [set(chosen) for chosen in itertools.combinations(range(n), b)]
    sizes = np.array([a]), np.array([b])
    expected = np.mean([of(first, other) for other in others])
    assert random_jaccard(n, *sizes)[0] == pytest.approx(expected)
    for shared in range(n + 1):
        more = np.mean([len(first & other) >= shared for other in others])
        assert tail(n, np.array([shared]), *sizes)[0] == pytest.approx(more, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 40), data=st.data())
def test_chance_is_the_mean_of_a_simulation(n: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(1, n)), data.draw(st.integers(1, n))
    generator = np.random.default_rng(0)
    shared = generator.hypergeometric(a, n - a, b, size=4000)
    values = jaccard(shared, np.array(a), np.array(b))
    expected = random_jaccard(n, np.array([a]), np.array([b]))[0]
    assert values.mean() == pytest.approx(expected, abs=5 * values.std() / 4000**0.5 + 1e-9)


def test_two_thirds_kept_leave_half_by_chance() -> None:
    kept, pruned = (random_jaccard(222, np.array([k]), np.array([k]))[0] for k in (148, 74))
    assert (kept, pruned) == (pytest.approx(0.5, abs=1e-3), pytest.approx(0.2, abs=2e-3))


def test_beyond_chance_runs_from_chance_to_identity() -> None:
    found = beyond_chance(np.array([0.2, 0.6, 1.0, 0.0, 1.0]), np.array([0.2, 0.2, 0.2, 0.5, 1.0]))
    np.testing.assert_allclose(found, [0, 0.5, 1, -1, np.nan])


def test_the_oracle_gives_the_agreements_of_the_papers_example() -> None:
    """Two lists that share a and c only."""
    found = naive_overlaps(list("abcdefg"), list("zcavwxy"))
    assert found == pytest.approx([0, 0, 2 / 3, 1 / 2, 2 / 5, 1 / 3, 2 / 7])


@settings(deadline=None)
@given(
    first=st.permutations(range(8)),
    second=st.permutations(range(8)),
    p=st.sampled_from([0.01, 0.5, 0.9, 0.98, 0.999]),
)
def test_rank_biased_overlap_is_the_papers_sum(
    first: list[int], second: list[int], p: float
) -> None:
    found = fast_rbo(first, second, p)
    assert found == pytest.approx(naive_rbo(list(first), list(second), p), abs=1e-12)
    assert found == pytest.approx(fast_rbo(second, first, p), abs=1e-12)
    assert 0 <= found <= 1 + 1e-12
    assert fast_rbo(first, first, p) == pytest.approx(1)


@given(ranking=st.permutations(range(6)))
def test_an_early_exchange_costs_more_than_a_late_one(ranking: list[int]) -> None:
    early = [ranking[1], ranking[0], *ranking[2:]]
    late = [*ranking[:4], ranking[5], ranking[4]]
    assume(early != late)
    assert fast_rbo(ranking, early, 0.9) < fast_rbo(ranking, late, 0.9) < 1


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_chance_of_rankings_is_the_mean_over_all(n: int, p: float) -> None:
    first = list(range(n))
    found = [naive_rbo(list(first), list(o), p) for o in itertools.permutations(first)]
    assert random_rbo(n, p) == pytest.approx(np.mean(found))
