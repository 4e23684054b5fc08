"""Scores of elements from the wider literature on pruning, recorded where they are asked for.

Identities, element by element, with σ⁻² = ess (h + δ); each is a test:

- snr² = ess (h + δ) μ² = 2 ess·obd + ess δ μ², so with one ess and δ → 0 snr ranks elements as obd
  does; log_density_drop = ½ snr² = ess·obd + ½ ess δ μ². Once δ is nothing beside h it is
  proportional to obd, after aggregation too.
- taylor = sensitivity_raw². The two rank elements alike, and differ once aggregated.
- fisher = ½ gradient_accumulated θ²; with a decay of 0 it is ½ taylor.
- If h = F̂_B and δ = 0, obd = fisher and snr = sqrt(2 ess·fisher) = sqrt(ess)·|θ|·RMS(g).
- wald → |θ|/c where σ ≪ c, → snr where σ ≫ c, and never exceeds either.

PLATON's score is ``sensitivity``, see :data:`vilora_analysis.naming.ALIASES`. Pruning where the
posterior's density at zero is highest ranks elements as snr only if the factor 1/σ of the density
is left out, as Graves leaves it out; what is registered is that form, as a logarithm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vilora_analysis.scores.registry import score

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "WALD_OFFSET",
    "fisher",
    "gradient_accumulated",
    "log_density_drop",
    "obd",
    "taylor",
    "wald",
]

WALD_OFFSET = 1e-3
"""c of the Wald-type score, in the weight's unit: of the order of σ at the default settings."""


# products are ordered so that none passes the range of float32 unless the score itself does


@score(
    label="½F̂θ²",
    equation="½ F̂_B θ²",
    source="Fisher pruning, Theis et al. 2018, of mini-batches instead of examples",
    by_default=False,
)
def fisher(mu: Tensor, fisher_batch: Tensor) -> Tensor:
    """Loss increase on removal, to second order with the Fisher diagonal as curvature."""
    return fisher_batch * (0.5 * mu) * mu


@score(
    label="½hθ²",
    equation="½ h θ²",
    source="optimal brain damage, LeCun et al. 1990, with IVON's Hessian estimate",
    by_default=False,
)
def obd(mu: Tensor, hess: Tensor) -> Tensor:
    """Loss increase on removal, to second order with a diagonal Hessian."""
    return hess * (0.5 * mu) * mu


@score(
    label="(θg)²",
    equation="(θ g)²",
    source="Molchanov et al. 2019, squared first-order Taylor term",
    by_default=False,
)
def taylor(mu: Tensor, grad: Tensor) -> Tensor:
    """Squared change of this step's loss on removal, to first order."""
    return (mu * grad).square()


@score(
    label="Σg²",
    equation="F̂_B",
    source="RoSA, Nikdan et al. 2024, accumulated squared gradients; as a running mean",
    by_default=False,
)
def gradient_accumulated(fisher_batch: Tensor) -> Tensor:
    """Squared gradient accumulated over the steps, whatever the weight."""
    return fisher_batch


@score(
    label="|μ|/(c+σ)",
    equation="|μ| / (c + σ), c = 10⁻³",
    source="Wald statistic with an offset, Tusher et al. 2001 (SAM); a fixed c in place of theirs",
    by_default=False,
)
def wald(mu: Tensor, sigma: Tensor) -> Tensor:
    """Signal-to-noise ratio that a tiny standard deviation cannot inflate."""
    return mu.abs() / (WALD_OFFSET + sigma)


@score(
    label="ln q(μ)/q(0)",
    equation="ln q(μ)/q(0) = ½ μ²/σ²",
    source="Graves 2011, pruning by exp(−μ²/2σ²), here −ln of it",
    by_default=False,
)
def log_density_drop(mu: Tensor, sigma: Tensor) -> Tensor:
    """How far the posterior's log density falls from its mean to zero."""
    ratio = mu / sigma
    return 0.5 * ratio * ratio
