"""What lies between AdaLoRA's sensitivity and snr: one ingredient swapped at a time.

Sensitivity is Ī·Ū, snr is |μ|/σ = sqrt(ess)·|θ|·sqrt(h + δ). Five ingredients differ:

- uncertainty: the product with Ū, or none;
- horizon: averages over 1/(1 − β₁) steps, or as far back as F̂_B and h;
- norm: a mean of absolute values, or the root of a mean of squares;
- weight: θ of each step, within the average, or θ of now, before it;
- curvature: squared gradients, or IVON's h + δ.

All combinations of the first four are registered here, in group ``"bridge"``: an average of |θ g|
or |g|, of the first or second power, short or long, with the product or without. Curvature has no
short horizon and no absolute value, so its swap comes after those. A registered name says what was
swapped already: ``bridge_horizon_norm`` has a long horizon and a root mean square, but still the
weight within and the product. Nothing swapped is ``sensitivity``; all but curvature is
|θ|·sqrt(F̂_B); all but the product is ``bridge_snr_uncertainty``; everything is ``snr``.

None of them is proposed to prune by; they are recorded with ``scores=["default", "bridge"]``.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
from typing import TYPE_CHECKING, Any

from vilora_analysis.inputs import INPUTS
from vilora_analysis.scores.definition import Formula
from vilora_analysis.scores.registry import score

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["bridge_snr_uncertainty"]

_SWAPS = ("uncertainty", "horizon", "norm", "weight")
_SOURCE = "between AdaLoRA, equation 11, and VILoRA, section II.C.1"


def _average(swapped: frozenset[str]) -> str:
    """Input that holds the running average."""
    horizon = "_long" if "horizon" in swapped else ""
    if "weight" not in swapped:
        return ("sens_sq_ema" if "norm" in swapped else "sens_ema") + horizon
    if {"norm", "horizon"} <= swapped:
        return "fisher_batch"
    return ("grad_sq_ema" if "norm" in swapped else "grad_abs_ema") + horizon


def _formula(swapped: frozenset[str]) -> tuple[Formula, str]:
    """The function of one combination, and its equation."""
    average, root = _average(swapped), "norm" in swapped
    now, product = "weight" in swapped, "uncertainty" not in swapped

    def formula(**inputs: Any) -> Tensor:
        value = inputs[average].sqrt() if root else inputs[average]
        factors = [*([inputs["mu"].abs()] if now else []), value]
        return _product(*factors, *([inputs["unc_ema"]] if product else []))

    asked = [*(["mu"] if now else []), average, *(["unc_ema"] if product else [])]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in asked]
    formula.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    symbol = INPUTS[average].symbol
    core = f"sqrt({symbol})" if root else symbol
    return formula, " · ".join([*(["|θ|"] if now else []), core, *(["Ū"] if product else [])])


def _product(*factors: Tensor) -> Tensor:
    """Product that leaves the range of float32 only if its value does: extremes first."""
    if len(factors) < 3:
        return functools.reduce(operator.mul, factors)
    a, b, c = factors
    low, high = a.minimum(b), a.maximum(b)
    middle = low.maximum(high.minimum(c))
    return low.minimum(c) * high.maximum(c) * middle


def _register(swapped: frozenset[str]) -> None:
    formula, equation = _formula(swapped)
    done = [name for name in _SWAPS if name in swapped]
    formula.__name__ = "_".join(["bridge", *done])
    formula.__doc__ = f"Sensitivity with {', '.join(done)} as in snr."
    score(label=equation, equation=equation, source=_SOURCE, by_default=False, group="bridge")(
        formula
    )


_REGISTERED_ELSEWHERE = ({"uncertainty"},)  # sensitivity_smoothed

for _size in range(1, len(_SWAPS) + 1):
    for _chosen in itertools.combinations(_SWAPS, _size):
        if set(_chosen) not in _REGISTERED_ELSEWHERE:
            _register(frozenset(_chosen))


@score(
    label="|μ|/σ · Ū",
    equation="|μ|/σ Ū",
    source=_SOURCE,
    by_default=False,
    group="bridge",
)
def bridge_snr_uncertainty(mu: Tensor, sigma: Tensor, unc_ema: Tensor) -> Tensor:
    """Signal-to-noise ratio with sensitivity's product."""
    size = mu.abs()
    low, high = size.minimum(unc_ema), size.maximum(unc_ema)
    # 1/σ of a subnormal σ is infinite: there alone, a power of two more in both
    scale = 1 + (sigma < 2.0**-126) * (2.0**24 - 1)
    return _product(low * scale, (sigma * scale).reciprocal(), high)
