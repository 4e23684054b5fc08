"""How alike are two sets, or two rankings, and how alike would random ones be?"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import stats

__all__ = ["beyond_chance", "jaccard", "random_jaccard", "random_rbo", "rbo", "rbo_tails", "tail"]


def jaccard(shared: np.ndarray, size_a: np.ndarray, size_b: np.ndarray) -> np.ndarray:
    r"""Jaccard's index of two sets, :math:`|A \cap B| / |A \cup B|`; 1 for two empty ones.

    Source: Jaccard 1912, The distribution of the flora in the alpine zone.

    Examples
    --------
    >>> jaccard(np.array([1, 0]), np.array([2, 0]), np.array([2, 0]))
    array([0.33333333, 1.        ])
    """
    union = np.asarray(size_a) + size_b - shared
    return np.where(union == 0, 1.0, shared / np.maximum(union, 1))


def beyond_chance(value: np.ndarray, chance: np.ndarray) -> np.ndarray:
    r"""Share of the way from chance to identity, :math:`(v - E v) / (1 - E v)`.

    0 is what random sets give, 1 is identity; NaN where random ones are identical anyway.
    Source: Hubert and Arabie 1985, Comparing partitions (the form of the adjusted index).

    Examples
    --------
    >>> beyond_chance(np.array([0.75, 1.0]), np.array([0.5, 1.0]))
    array([0.5, nan])
    """
    room = 1 - np.asarray(chance, dtype=float)
    certain = room < 1e-12
    return np.where(certain, np.nan, (value - chance) / np.where(certain, 1, room))


@lru_cache(maxsize=2**14)
def _random_overlap(n: int, a: int, b: int) -> tuple[float, np.ndarray]:
    """Expected Jaccard index of random sets, and by 0 .. n the chance to share so many or more."""
    shared = np.arange(n + 1)
    chances = stats.hypergeom.pmf(shared, n, a, b)
    expected = float(chances @ jaccard(np.minimum(shared, min(a, b)), np.array(a), np.array(b)))
    return expected, np.clip(np.cumsum(chances[::-1])[::-1], 0, 1)


def random_jaccard(n: int, size_a: np.ndarray, size_b: np.ndarray) -> np.ndarray:
    r"""Jaccard's index expected of two random sets of these sizes out of n.

    They share i with the hypergeometric probability, so

    .. math:: E J = \sum_i \binom{a}{i} \binom{n-a}{b-i} \binom{n}{b}^{-1} \frac{i}{a + b - i}.

    Examples
    --------
    >>> random_jaccard(2, np.array([1]), np.array([1]))  # the same, or the other
    array([0.5])
    """
    return _by_size(n, size_a, size_b)[0]


def tail(n: int, shared: np.ndarray, size_a: np.ndarray, size_b: np.ndarray) -> np.ndarray:
    """Probability that random sets share as many or more: the hypergeometric test.

    Source: Fisher 1935, The logic of inductive inference (the exact test, one-sided).

    Examples
    --------
    >>> tail(4, np.array([2]), np.array([2]), np.array([2]))  # one of six sets of two
    array([0.16666667])
    """
    _, tails, at = _by_size(n, size_a, size_b)
    found: np.ndarray = tails[at, shared]
    return found


def _by_size(
    n: int, size_a: np.ndarray, size_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected index of each; the tails of every pair of sizes, and which of them each has."""
    codes, at = np.unique(np.asarray(size_a) * (n + 1) + size_b, return_inverse=True)
    known = [_random_overlap(n, *divmod(int(code), n + 1)) for code in codes]
    expected = np.array([value for value, _ in known], dtype=float)
    tails = np.array([probabilities for _, probabilities in known]).reshape(-1, n + 1)
    return expected[at], tails, at


def rbo_tails(n: int, p: float) -> np.ndarray:
    r"""What a triplet adds that both rankings have within the first m: :math:`\sum_{d=m}^n p^d/d`.

    Returns
    -------
    ndarray
        By place from 0, so that index i is for m = i + 1; descending, scaled by (1 - p)/p.
    """
    depths = np.arange(1, n + 1)
    found: np.ndarray = np.cumsum((p**depths / depths)[::-1])[::-1] * (1 - p) / p
    return found


def rbo(tails_a: np.ndarray, tails_b: np.ndarray, p: float) -> np.ndarray:
    r"""Rank-biased overlap of two full rankings of the same n items, extrapolated.

    With :math:`X_d` the number that the first d of both share,

    .. math:: \mathrm{RBO}_{ext} = \frac{X_n}{n} p^n
              + \frac{1-p}{p} \sum_{d=1}^{n} \frac{X_d}{d} p^d,

    and :math:`X_n = n`. An item counts from the deeper of its two places on, so that the sum over
    depths is one over items of the smaller of its two tails.
    Source: Webber, Moffat and Zobel 2010, A similarity measure for indefinite rankings, eq. 30.

    Parameters
    ----------
    tails_a, tails_b
        ``rbo_tails(n, p)[places]`` of each ranking, items along the last axis.
    p
        Persistence, between 0 and 1: depth d + 1 counts p times depth d.

    Examples
    --------
    >>> tails = rbo_tails(3, 0.9)
    >>> round(float(rbo(tails[[0, 1, 2]], tails[[0, 2, 1]], 0.9)), 3)  # 1, 1/2, 1 at depths 1, 2, 3
    0.955
    """
    n = tails_a.shape[-1]
    found: np.ndarray = np.minimum(tails_a, tails_b).sum(axis=-1) + p**n
    return found


def random_rbo(n: int, p: float) -> float:
    r"""Rank-biased overlap expected of two random rankings of n items.

    The first d of both share :math:`E X_d = d^2/n`.

    Examples
    --------
    >>> random_rbo(1, 0.9)
    1.0
    """
    depths = np.arange(1, n + 1)
    return float(p**n + (1 - p) / p * np.sum(depths / n * p**depths))
