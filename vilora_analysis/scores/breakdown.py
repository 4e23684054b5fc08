"""SNR(|θ|) as published, in single precision: kept for audits of what its breakdown prunes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from vilora_analysis.scores.registry import score

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.triplets import Factor

__all__ = ["snr_abs_float32"]


@score(
    label="SNR(|θ|), float32",
    equation="E|θ| / sqrt(μ² + σ² − (E|θ|)²) in single precision, NaN as 0",
    source="VILoRA, section II.C.2, evaluated term by term as in the published code",
    level="triplet",
    by_default=False,
    group="audit",
)
def snr_abs_float32(
    mu: Tensor, sigma: Tensor, reduce: Callable[..., Mapping[Factor, Tensor]]
) -> Tensor:
    """Signal-to-noise ratio of the magnitude with the published form's cancellation.

    For |μ|/σ = r, the variance is a difference of two numbers r² times as large: 1% off at r = 10³,
    and from about 10⁴ on rounding alone, so that the ratio is infinite where the difference is 0,
    and NaN, which counts as 0 and so as least important, where it is negative. Infinite totals
    become the largest single-precision number: they tie, as infinities would.
    """
    from vilora_analysis.triplets import published_sum  # it loads torch

    mu, sigma = mu.float(), sigma.float()
    ratio = mu / sigma
    spread = sigma * math.sqrt(2 / math.pi) * (-0.5 * ratio.square()).exp()
    expected = spread + mu * (ratio * math.sqrt(0.5)).erf()
    variance = mu.square() + sigma.square() - expected.square()
    elements = (expected / variance.sqrt()).nan_to_num(nan=0.0, posinf=math.inf)
    return published_sum(reduce(elements)).nan_to_num()
