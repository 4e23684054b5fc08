"""Exact inference on a handful of paired differences: the sign-flip test and what it inverts to.

Under the null hypothesis a difference is as likely to come out with either sign, so that all
:math:`2^n` ways to flip the signs are equally likely. Nothing is assumed of the size of the
differences, and nothing can be shown that :math:`2/2^n` forbids: five pairs stop at 0.0625.

Every p here is two-sided, or twice a one-sided one, so that all are held against the same level.
Source: Fisher 1935, The design of experiments, section 21; Hartigan 1969, Using subsample values as
typical values (the interval).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats

__all__ = ["holm", "pairs_needed", "sign_flip", "sign_flip_interval", "smallest_p", "t_interval"]

Alternative = Literal["two-sided", "greater", "less"]

_EXACT = 20  # pairs, up to a million flips; beyond, a sample of the flips
_SAMPLED = 2**16 - 1
_ROUNDING = 1e-9


def sign_flip(differences: np.ndarray, alternative: Alternative = "two-sided") -> float:
    r"""Probability of a mean as large if the signs were random.

    A flipped subset :math:`S` leaves the sum at least as large just if
    :math:`\sum_{i \in S} d_i \le 0`, so the one-sided p is the share of such subsets, the empty
    one among them. All subsets are counted up to 20 differences; beyond, 65,535 random ones, by the
    rule (1 + count) / (1 + draws) of Phipson and Smyth 2010.

    Parameters
    ----------
    differences
        One a pair, shape (pairs,).
    alternative
        Whether the mean is other than 0, greater, or less. Both one-sided p come doubled.

    Returns
    -------
    float
        Between :func:`smallest_p` and 1; NaN without a pair, or with one that is NaN.

    Examples
    --------
    >>> sign_flip(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))  # five pairs of one sign
    0.0625
    >>> sign_flip(np.array([1.0, 2.0, 3.0]), "less")
    1.0
    """
    values = np.asarray(differences, dtype=float)
    if not len(values) or np.isnan(values).any():
        return math.nan
    tails = {"greater": _upper(values), "less": _upper(-values)}
    chosen = min(tails.values()) if alternative == "two-sided" else tails[alternative]
    return min(1.0, 2 * chosen)


def smallest_p(pairs: int) -> float:
    """The smallest p that so many pairs can give, whatever they show.

    Examples
    --------
    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    """
    if pairs > _EXACT:
        return 2 / (1 + _SAMPLED)
    return min(1.0, 2 / 2**pairs) if pairs else math.nan


def pairs_needed(level: float) -> int:
    """The fewest pairs whose smallest p is no larger than a level.

    Examples
    --------
    >>> pairs_needed(0.05), pairs_needed(0.05 / 7)
    (6, 9)
    """
    return max(1, math.ceil(1 - math.log2(level) - 1e-9))


def sign_flip_interval(differences: np.ndarray, alpha: float = 0.05) -> tuple[float, float]:
    r"""All shifts that the sign-flip test does not refuse: an exact interval of the mean.

    The test of a shift counts the subsets whose mean lies at or below it, so the ends are order
    statistics of the :math:`2^n - 1` means of subsets: the :math:`\lfloor 2^n \alpha/2 \rfloor`-th
    from either end. Too few pairs leave it unbounded.

    Examples
    --------
    >>> d = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> sign_flip_interval(d), sign_flip_interval(d[:5])
    ((1.0, 6.0), (-inf, inf))
    """
    values = np.asarray(differences, dtype=float)
    sums, sizes = _subsets(values)
    rank = math.floor((len(sums) + 1) * alpha / 2 + _ROUNDING)
    if rank < 1:
        return -math.inf, math.inf
    ends = (rank - 1, len(sums) - rank)
    means = np.partition(sums / sizes, ends)
    return float(means[ends[0]]), float(means[ends[1]])


def t_interval(differences: np.ndarray, alpha: float = 0.05) -> tuple[float, float]:
    """Student's interval of the mean, which takes the differences for normal; NaN for one pair.

    Examples
    --------
    >>> [round(end, 3) for end in t_interval(np.array([1.0, 2.0, 3.0]))]
    [-0.484, 4.484]
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    half = stats.t.ppf(1 - alpha / 2, n - 1) * values.std(ddof=1) / math.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction over a family; what was not tested stays NaN.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, float("nan")])
    [0.03, 0.06, 0.06, nan]
    """
    values = np.asarray(p_values, dtype=float)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = values.copy()
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return [float(value) for value in adjusted]


def _upper(values: np.ndarray) -> float:
    """One-sided p of a mean above 0."""
    sums, _ = _subsets(values)
    count = int(np.sum(sums <= _ROUNDING * np.abs(values).sum()))
    return (1 + count) / (1 + len(sums))


def _subsets(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and size of every subset but the empty one, or of a sample of them."""
    if len(values) > _EXACT:
        masks = np.random.default_rng(0).random((_SAMPLED, len(values))) < 0.5
        return masks @ values, np.maximum(masks.sum(axis=1), 1)
    sums, sizes = np.zeros(1), np.zeros(1)
    for value in values:
        sums, sizes = np.concatenate([sums, sums + value]), np.concatenate([sizes, sizes + 1])
    return sums[1:], sizes[1:]
