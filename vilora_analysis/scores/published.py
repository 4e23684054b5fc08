"""The scores of the VILoRA and AdaLoRA papers, one pure function each.

VILoRA: H. Chen and P. N. Garner, "A Bayesian Interpretation of Adaptive Low-Rank Adaptation".
AdaLoRA: Q. Zhang et al., "Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning", 2023.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vilora_analysis.scores.registry import score

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "expected_abs",
    "inverse_std",
    "mean_abs",
    "sensitivity",
    "sensitivity_raw",
    "sensitivity_smoothed",
    "sensitivity_uncertainty",
    "snr",
    "snr_abs",
]

_FAR = 1e6
"""|μ|/σ from which on 2 r ε is 0 by far."""

_NEGLIGIBLE = 12.0
"""|μ|/σ from which on ε, 1e-34 there, is no more than a rounding of r in any precision.

Beyond, exp and erfc underflow, which takes a processor twenty times as long as anything else."""


@score(label="|μ|", equation="|μ|", source="VILoRA, section II.C.3; magnitude pruning (Han 2015)")
def mean_abs(mu: Tensor) -> Tensor:
    """Magnitude of the posterior mean."""
    return mu.abs()


@score(label="1/σ", equation="1/σ", source="VILoRA, section II.C.3")
def inverse_std(sigma: Tensor) -> Tensor:
    """Posterior precision, as an inverse standard deviation."""
    return sigma.reciprocal()


@score(label="|μ|/σ", equation="|μ|/σ", source="VILoRA, section II.C.1; Graves 2011")
def snr(mu: Tensor, sigma: Tensor) -> Tensor:
    """Signal-to-noise ratio of the parameter."""
    return mu.abs() / sigma


@score(
    label="SNR(|θ|)",
    equation="E|θ| / sqrt(Var|θ|), θ ~ N(μ, σ²)",
    source="VILoRA, section II.C.2; Li et al. 2024",
)
def snr_abs(mu: Tensor, sigma: Tensor) -> Tensor:
    """Signal-to-noise ratio of the parameter's magnitude, free of cancellation.

    With r = |μ|/σ, E|θ| = σ (r + ε) where ε = 2 (φ(r) − r Φ(−r)) decays like a Gaussian tail. Then
    Var|θ| = σ² (1 − 2 r ε − ε²), in which nothing large is subtracted from anything large: the
    published form σ² + μ² − (E|θ|)² loses every digit in float32 from r = 10⁴ on.
    """
    ratio = mu.abs() / sigma
    excess = _folded_excess(ratio)
    moderate = ratio.clamp_max(_FAR)  # beyond, 2 r may be infinite, and ∞·0 is no number
    variance = moderate.mul_(2).add_(excess).mul_(excess).neg_().add_(1)
    return ratio.add_(excess).div_(variance.sqrt_())


@score(
    label="E|θ|",
    equation="μ (2Φ(μ/σ) − 1) + 2σ φ(μ/σ)",
    source="VILoRA, section II.C.2 (numerator of SNR(|θ|))",
)
def expected_abs(mu: Tensor, sigma: Tensor) -> Tensor:
    """Expected magnitude under the posterior, the mean of a folded normal."""
    magnitude = mu.abs()
    return _folded_excess(magnitude / sigma).mul_(sigma).add_(magnitude)


def _folded_excess(ratio: Tensor) -> Tensor:
    """ε(r) = 2 (φ(r) − r Φ(−r)) for r >= 0: how far E|θ|/σ lies above |μ|/σ.

    These two scores cost more than all others of the papers together, half of it fresh memory: so
    what was allocated here is worked on in place.
    """
    ratio = ratio.clamp_max(_NEGLIGIBLE)
    tail = ratio.mul(math.sqrt(0.5)).erfc_().mul_(ratio)
    density = ratio.square_().mul_(-0.5).exp_().mul_(math.sqrt(2 / math.pi))
    # the subtraction leaves rounding of the size of φ(r), where ε itself is negligible beside r
    return density.sub_(tail).clamp_min_(0)


@score(label="|θ g|", equation="|θ g|", source="AdaLoRA, equation 8; Molchanov et al. 2019")
def sensitivity_raw(mu: Tensor, grad: Tensor) -> Tensor:
    """Magnitude of the gradient-weight product of this step alone."""
    return (mu * grad).abs()


@score(label="Ī", equation="Ī ← β₁ Ī + (1 − β₁) |θ g|", source="AdaLoRA, equation 9")
def sensitivity_smoothed(sens_ema: Tensor) -> Tensor:
    """Exponential moving average of the sensitivity."""
    return sens_ema


@score(label="Ū", equation="Ū ← β₂ Ū + (1 − β₂) ||θ g| − Ī|", source="AdaLoRA, equation 10")
def sensitivity_uncertainty(unc_ema: Tensor) -> Tensor:
    """Exponential moving average of the sensitivity's deviation from its own average."""
    return unc_ema


@score(label="Ī·Ū", equation="Ī Ū", source="AdaLoRA, equation 11; VILoRA, section II.B.2")
def sensitivity(sens_ema: Tensor, unc_ema: Tensor) -> Tensor:
    """AdaLoRA's importance: smoothed sensitivity times its uncertainty."""
    return sens_ema * unc_ema
