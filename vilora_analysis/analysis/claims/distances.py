"""Where does the rank go, how evenly, and how far are two such distributions apart?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from vilora_analysis.analysis.claims.judging import Outcome
from vilora_analysis.analysis.claims.power import POWER
from vilora_analysis.analysis.claims.statistics import smallest_p, t_interval

__all__ = ["distance", "evenness", "excess", "random_ranks"]

_EXACT = 12  # seeds, 2,048 exchanges
_SAMPLED = 4095
_ROUNDING = 1e-9


def distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""Share of the rank that lies in other matrices: total variation of the two distributions.

    .. math:: \frac12 \sum_m \left| \frac{r_m}{\sum r} - \frac{r'_m}{\sum r'} \right|

    Examples
    --------
    >>> distance(np.array([2, 0]), np.array([1, 1])), distance(np.array([2, 0]), np.array([0, 1]))
    (0.5, 1.0)
    """
    return float(np.abs(a / max(a.sum(), 1) - b / max(b.sum(), 1)).sum() / 2)


def evenness(ranks: np.ndarray) -> float:
    r"""Entropy of the rank over matrices, as a share of the largest: 1 if all have the same.

    .. math:: -\frac{1}{\ln M} \sum_m p_m \ln p_m, \quad p_m = r_m / \sum r

    Source: Pielou 1966, The measurement of diversity in different types of biological collections.

    Examples
    --------
    >>> round(evenness(np.array([2.0, 2.0])), 3), round(evenness(np.array([4.0, 0.0])), 3)
    (1.0, 0.0)
    """
    if len(ranks) < 2 or ranks.sum() == 0:
        return math.nan
    shares = ranks[ranks > 0] / ranks.sum()
    return float(np.sum(shares * -np.log(shares)) / math.log(len(ranks)))


def random_ranks(sizes: np.ndarray, budget: int, draws: int = 400) -> np.ndarray:
    """Ranks by matrix of sets drawn at random, shape (draws, matrices)."""
    generator = np.random.default_rng(0)
    drawn: np.ndarray = generator.multivariate_hypergeometric(sizes, budget, size=draws)
    return drawn


def excess(a: Sequence[np.ndarray], b: Sequence[np.ndarray], alpha: float = 0.05) -> Outcome:
    r"""Test whether two systems put their rank elsewhere, beyond what another seed does.

    The effect is the energy distance's form with :func:`distance` in it: the mean distance between
    runs of different systems and seeds, less that between runs of different seeds of one system. If
    the systems were the same, each pair of equal seeds could be exchanged; all exchanges are
    counted. Exchanging all pairs changes nothing, so the smallest p is :math:`2/2^n`, as for a
    two-sided sign-flip test. Source: Székely and Rizzo 2004, Testing for equal distributions in
    high dimension (the statistic); Good 2005, Permutation tests (the exchanges).

    Parameters
    ----------
    a, b
        Ranks by matrix, one vector a seed, in the same order of seeds; two seeds or more.
    alpha
        Level of the interval, which is the jackknife's over seeds, and of ``detectable``, which
        follows from its standard error.

    Returns
    -------
    Outcome
        In percent of the rank.
    """
    n = len(a)
    every = [*a, *b]
    between = 100 * np.array([[distance(x, y) for y in every] for x in every])
    signs = _exchanges(n)
    null = np.array([_excess(between, exchange) for exchange in signs])
    effect = _excess(between, np.zeros(n, dtype=bool))
    least = smallest_p(n)
    p = max(float(np.mean(null >= effect - _ROUNDING)), least)
    low, high = _jackknife(between, n, effect, alpha)
    critical, more = (float(stats.t.ppf(q, max(n - 1, 1))) for q in (1 - alpha / 2, POWER))
    reach = (high - low) / 2 * (1 + more / critical)
    reachable = reach if least <= alpha else math.inf
    return Outcome("exchange of systems", n, effect, low, high, "jackknife", p, least, reachable)


def _exchanges(n: int) -> np.ndarray:
    """Which pairs are exchanged, shape (exchanges, pairs), the identity first."""
    if n > _EXACT:
        drawn = np.random.default_rng(0).random((_SAMPLED, n)) < 0.5
        return np.concatenate([np.zeros((1, n), dtype=bool), drawn])
    half = np.arange(2 ** (n - 1))[:, None] >> np.arange(n) & 1  # the first never: see excess
    return half.astype(bool)


def _excess(between: np.ndarray, exchange: np.ndarray) -> float:
    n = len(exchange)
    first = np.where(exchange, np.arange(n) + n, np.arange(n))
    second = np.where(exchange, np.arange(n), np.arange(n) + n)
    others = ~np.eye(n, dtype=bool)
    cross = between[np.ix_(first, second)][others].mean()
    within = between[np.ix_(first, first)][others], between[np.ix_(second, second)][others]
    return float(cross - np.concatenate(within).mean())


def _jackknife(between: np.ndarray, n: int, effect: float, alpha: float) -> tuple[float, float]:
    """Student's interval of the pseudo-values (Tukey 1958)."""
    if n < 3:
        return math.nan, math.nan
    values = []
    for left in range(n):
        rest = np.delete(np.arange(2 * n), [left, left + n])
        without = _excess(between[np.ix_(rest, rest)], np.zeros(n - 1, dtype=bool))
        values.append(n * effect - (n - 1) * without)
    low, high = t_interval(np.array(values), alpha)
    return low + effect - float(np.mean(values)), high + effect - float(np.mean(values))
