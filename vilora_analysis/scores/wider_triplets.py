"""Scores of whole triplets, which no sum of element scores is, and the random control.

The update of a triplet is E_k·B_k A_k, of degree one in each of E_k, A_k and B_k. So for a loss L
that depends on the three through it alone, with g the gradient at θ,

    E_k ∂L/∂E_k = Σ_j A_kj ∂L/∂A_kj = Σ_i B_ik ∂L/∂B_ik = ∂L/∂m_k,

m_k a mask on the triplet (Euler). Hence group_taylor is 9 (E_k g)², and group_fisher is that of the
mask. What is recorded deviates: the gradient holds the orthogonality penalty and is taken before
the step, under IVON at sampled weights; θ is the mean after it.

Two are spelled otherwise too, and are registered for their names and sources: value_abs is
``mean_abs@E``, group_fisher is ``fisher@E``. By Cauchy and Schwarz group_taylor is at most n times
``taylor@sum``, n the elements of the triplet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from vilora_analysis.scores.registry import score

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["group_fisher", "group_taylor", "random", "triplet_norm", "value_abs"]

Reduce = Callable[..., Mapping[str, "Tensor"]]


@score(
    label="|E|",
    equation="|E_k|",
    source="magnitude of the singular value; AdaLoRA, section 3.2, names it as the alternative",
    level="triplet",
    factors=("E",),
    by_default=False,
)
def value_abs(mu: Tensor, reduce: Reduce) -> Tensor:
    """Magnitude of the singular value."""
    return reduce(mu)["E"].abs()


@score(
    label="|E|‖A‖‖B‖",
    equation="|E_k| ‖A_k‖₂ ‖B_k‖₂",
    source="Frobenius norm of the triplet's update; cf. DoRA, Mao et al. 2024",
    level="triplet",
    by_default=False,
)
def triplet_norm(mu: Tensor, reduce: Reduce) -> Tensor:
    """Norm of what the triplet adds to the weight; for LoRA, which has no E, ‖A_k‖ ‖B_k‖."""
    norms = reduce(mu, "l2")
    vectors = norms["A"] * norms["B"]
    return norms["E"].abs() * vectors if "E" in norms else vectors


@score(
    label="(Σθg)²",
    equation="(Σ_triplet θ g)²",
    source="Molchanov et al. 2019, first-order Taylor term of a group",
    level="triplet",
    by_default=False,
)
def group_taylor(mu: Tensor, grad: Tensor, reduce: Reduce) -> Tensor:
    """Squared change of this step's loss if the whole triplet is removed, to first order."""
    parts = reduce(mu * grad, "sum").values()
    return sum(parts, start=mu.new_zeros(())).square()


@score(
    label="½F̂(m)",
    equation="½ F̂_B,E E_k²",
    source="group Fisher pruning, Liu et al. 2021, of a mask on the triplet and of mini-batches",
    level="triplet",
    factors=("E",),
    by_default=False,
)
def group_fisher(mu: Tensor, fisher_batch: Tensor, reduce: Reduce) -> Tensor:
    """Loss increase if the triplet is masked out, with the Fisher of the mask as curvature."""
    value, curvature = reduce(mu)["E"], reduce(fisher_batch)["E"]
    return 0.5 * (curvature * value) * value


@score(
    label="random",
    equation="U[0, 1), a hash of step and triplet",
    source="control; lowbias32, Wellons 2018, as the hash",
    level="triplet",
    by_default=False,
)
def random(step: int, triplet: Tensor) -> Tensor:
    """Uniform number that knows nothing of the triplet.

    It depends on step and triplet only: no generator is drawn from, every process has the same, and
    a resumed run goes on with it. So it is the same in runs of other seeds too.
    """
    mixed: Tensor = _mix(_mix(step) ^ triplet)
    return (mixed >> 8).float() / 2**24  # as many bits as float32 resolves


def _mix(bits: Any) -> Any:
    """A 32-bit hash; a product may pass 64 bits, which leaves its lower 32 as they are."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = ((bits ^ (bits >> shift)) * factor) & 0xFFFFFFFF
    return bits ^ (bits >> 16)
