"""From differences to a verdict: what is tested how, and when a claim counts as supported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vilora_analysis.analysis.claims.power import Kind, detectable
from vilora_analysis.analysis.claims.statistics import (
    pairs_needed,
    sign_flip,
    sign_flip_interval,
    smallest_p,
    t_interval,
)

__all__ = ["Outcome", "Ruling", "VerdictWord", "decide", "examine"]

VerdictWord = Literal["supported", "not supported", "underpowered", "not testable"]


@dataclass(frozen=True)
class Outcome:
    """What a test gave.

    Attributes
    ----------
    test
        Name of the test.
    pairs
        How many differences it rests on.
    effect, low, high
        Mean and a confidence interval of it.
    interval
        What the interval is of: ``sign-flip`` or ``jackknife``, and where so few pairs leave that
        unbounded ``t``, which is told and judged nothing by.
    p, smallest_p
        Two-sided, or twice a one-sided p; and the smallest that so many pairs can give.
    detectable
        Smallest effect, or margin, that would have been shown four times out of five.
    """

    test: str
    pairs: int
    effect: float
    low: float
    high: float
    interval: str
    p: float
    smallest_p: float
    detectable: float


@dataclass(frozen=True)
class Ruling:
    """A verdict and its reason."""

    verdict: VerdictWord
    why: str


def examine(
    values: Sequence[float],
    *,
    kind: Kind,
    margin: float,
    reference: float = 0.0,
    alpha: float = 0.05,
) -> Outcome:
    """Test paired differences by flipping their signs.

    Parameters
    ----------
    values
        One a pair, positive in favour of the claim.
    kind
        ``superiority``: the mean is above the reference. ``non-inferiority``: it is above the
        reference less the margin. ``equivalence``: it is within the margin of the reference, by two
        one-sided tests (Schuirmann 1987) of which the larger p counts.
    margin
        In the unit of the values.
    reference
        Value that the claim is about; 0 for differences.
    alpha
        Two-sided level; one-sided tests are held against half of it, by doubling their p.
    """
    given = np.asarray(values, dtype=float)
    shifted = given - reference
    above = sign_flip(shifted + margin, "greater")
    p = {
        "superiority": lambda: sign_flip(shifted),
        "non-inferiority": lambda: above,
        "equivalence": lambda: max(above, sign_flip(shifted - margin, "less")),
    }[kind]()
    low, high = sign_flip_interval(given, alpha)
    method = "sign-flip"
    if math.isinf(low):
        (low, high), method = t_interval(given, alpha), "t" if len(given) > 1 else ""
    deviation = float(given.std(ddof=1)) if len(given) > 1 else math.nan
    reach = detectable(len(given), deviation, kind=kind, alpha=alpha)
    name = f"{kind}, exact sign-flip" if len(given) <= 20 else f"{kind}, sign-flip (65,535 draws)"
    effect, least = float(given.mean()), smallest_p(len(given))
    return Outcome(name, len(given), effect, low, high, method, p, least, reach)


def decide(
    outcome: Outcome, *, kind: Kind, margin: float, reference: float = 0.0, alpha: float = 0.05
) -> Ruling:
    """Judge a claim by its test.

    In this order:

    1. **underpowered** if so few pairs cannot reach the level, whatever they show;
    2. **supported** if p is at most alpha and the effect is in favour;
    3. **not supported** if the data speak against it: a significant effect the other way, or an
       interval that lies wholly below the margin (superiority), below minus the margin
       (non-inferiority) or beyond the margin (equivalence);
    4. **not supported** if the data could have shown the margin four times out of five, and did not
       show the claim;
    5. **underpowered** otherwise: the data could not have shown the margin.

    With five pairs or fewer the first rule applies at the level 0.05, so that no verdict ever rests
    on a test that could not have come out otherwise.
    """
    if outcome.smallest_p > alpha:
        return Ruling("underpowered", _too_few(outcome, alpha))
    if outcome.p <= alpha and (kind != "superiority" or outcome.effect > reference):
        return Ruling("supported", f"p {outcome.p:.2g} of the test of {kind}")
    if against := _against(outcome, kind, margin, reference, alpha):
        return Ruling("not supported", against)
    reach = f"{outcome.detectable:.2g} could have been shown four times out of five"
    if outcome.detectable <= margin:
        return Ruling("not supported", f"not shown (p {outcome.p:.2g}), though {reach}")
    what = "an effect" if kind == "superiority" else "a margin"
    return Ruling("underpowered", f"p {outcome.p:.2g}; only {what} of {reach}")


def _too_few(outcome: Outcome, alpha: float) -> str:
    pairs = "1 pair" if outcome.pairs == 1 else f"{outcome.pairs} pairs"
    return (
        f"{pairs} cannot give a p below {outcome.smallest_p:.3g}, and {alpha:g} takes "
        f"{pairs_needed(alpha)}"
    )


def _against(outcome: Outcome, kind: Kind, margin: float, reference: float, alpha: float) -> str:
    low, high = outcome.low - reference, outcome.high - reference
    if kind == "superiority":
        if outcome.p <= alpha:
            return f"the effect goes the other way (p {outcome.p:.2g})"
        return f"the interval stays below {margin:g}, what would count" if high < margin else ""
    if high < -margin or (kind == "equivalence" and low > margin):
        return f"the interval lies beyond the margin of {margin:g}"
    return ""
