"""What a random choice of triplets finds of a plant: exactly, not by drawing."""

from __future__ import annotations

from math import comb

import numpy as np
from scipy import stats

__all__ = ["chance_of_finding", "expected_found"]


def expected_found(ranks: np.ndarray, planted: np.ndarray, budget: int) -> float:
    r"""Planted ranks that a random choice of triplets finds, on average.

    Of ``budget`` triplets drawn without replacement from all N, the number :math:`K_m` that falls
    into module m is hypergeometric, and
    :math:`E \min(K_m, p_m) = \sum_{j=1}^{p_m} P(K_m \ge j)`.

    Parameters
    ----------
    ranks, planted
        By module its number of triplets and its planted rank.
    budget
        Triplets that are drawn.

    Examples
    --------
    One of two triplets is drawn, and one of the two modules has a planted rank:

    >>> expected_found(np.array([1, 1]), np.array([1, 0]), 1)
    0.5
    """
    pairs = zip(ranks.tolist(), planted.tolist(), strict=True)
    n = int(ranks.sum())
    return float(sum(stats.hypergeom.sf(np.arange(p), n, r, budget).sum() for r, p in pairs))


def chance_of_finding(ranks: np.ndarray, planted: np.ndarray, budget: int) -> np.ndarray:
    r"""Probability that a random choice finds exactly so much.

    Choices are counted by how many triplets they take and how much they find, module after module:
    of module m, :math:`\binom{r_m}{k}` choices take k and find :math:`\min(k, p_m)`.

    Parameters
    ----------
    ranks, planted, budget
        As for :func:`expected_found`.

    Returns
    -------
    ndarray
        Shape (total planted rank + 1,), by the number of planted ranks found.

    Examples
    --------
    >>> chance_of_finding(np.array([1, 1]), np.array([1, 0]), 1).tolist()
    [0.5, 0.5]
    """
    ways = np.zeros((budget + 1, int(planted.sum()) + 1))
    ways[0, 0] = 1.0
    for rank, there in zip(ranks.tolist(), planted.tolist(), strict=True):
        after = np.zeros_like(ways)
        for k in range(min(rank, budget) + 1):
            taken, gained = ways.shape[0] - k, ways.shape[1] - min(k, there)
            after[k:, min(k, there) :] += comb(rank, k) * ways[:taken, :gained]
        ways = after
    probability: np.ndarray = ways[budget] / ways[budget].sum()
    return probability
