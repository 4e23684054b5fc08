"""What could so few pairs have shown? The smallest effect, or margin, within their reach."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import optimize, stats

from vilora_analysis.analysis.claims.statistics import sign_flip_interval, smallest_p

__all__ = ["POWER", "Kind", "detectable"]

Kind = Literal["superiority", "non-inferiority", "equivalence"]

POWER = 0.8
"""How often an effect is to be found for it to count as detectable."""

_SIMULATED = 10  # pairs; beyond, Student's t, which the sign-flip test then equals
_DRAWS = 2000


def detectable(
    pairs: int, deviation: float, *, kind: Kind = "superiority", alpha: float = 0.05
) -> float:
    r"""Smallest effect that the sign-flip test would find four times out of five.

    Of a non-inferiority or an equivalence it is the smallest margin that could be shown where the
    true difference is 0.

    Parameters
    ----------
    pairs
        How many differences there are.
    deviation
        Their standard deviation, taken for the true one.
    kind
        What is to be shown.
    alpha
        Two-sided level.

    Returns
    -------
    float
        In the unit of the deviation; infinite if so many pairs cannot reach the level at all, NaN
        for a deviation that is not known.

    Notes
    -----
    An effect :math:`\delta` is found if the lower end of the interval lies above 0. The interval
    moves with the effect, so :math:`\delta` is the 0.8-quantile of minus the lower end at no
    effect, of 2,000 normal samples; for equivalence that of the end further from 0. Beyond ten
    pairs the noncentral t distribution says the same; for equivalence Schuirmann 1987.

    Examples
    --------
    >>> detectable(5, 1.0)
    inf
    >>> round(detectable(6, 1.0), 1), round(detectable(20, 1.0), 2)
    (1.8, 0.66)
    """
    if pairs < 1 or smallest_p(pairs) > alpha:
        return math.inf
    if math.isnan(deviation):
        return math.nan
    find = _simulated if pairs <= _SIMULATED else _by_t
    return find(pairs, kind == "equivalence", alpha) * deviation


@lru_cache
def _simulated(pairs: int, both: bool, alpha: float) -> float:
    samples = np.random.default_rng(pairs).normal(size=(_DRAWS, pairs))
    ends = np.array([sign_flip_interval(sample, alpha) for sample in samples])
    reach = np.maximum(-ends[:, 0], ends[:, 1]) if both else -ends[:, 0]
    return float(np.quantile(reach, POWER))


@lru_cache
def _by_t(pairs: int, both: bool, alpha: float) -> float:
    freedom, root = pairs - 1, math.sqrt(pairs)
    critical = float(stats.t.ppf(1 - alpha / 2, freedom))
    if both:
        return (critical + float(stats.t.ppf((1 + POWER) / 2, freedom))) / root
    found = optimize.brentq(lambda x: stats.nct.sf(critical, freedom, x) - POWER, 0, 50)
    return float(found) / root
