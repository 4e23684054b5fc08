"""What can be known of an adapter element: the vocabulary that scores and log share."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONTEXT", "INPUTS", "Input"]


@dataclass(frozen=True)
class Input:
    """One quantity of each element of an adapter parameter.

    Attributes
    ----------
    symbol
        The symbol of the literature.
    meaning
        What it is and at which instant it is taken.
    unit
        Physical dimension, with the loss dimensionless and the weight's unit written ``theta``.
    origin
        ``"parameter"`` (any optimizer), ``"posterior"`` (IVON) or ``"smoothing"`` (explicit
        running state of :class:`vilora_analysis.scores.Smoothing`).
    """

    symbol: str
    meaning: str
    unit: str
    origin: str


INPUTS: dict[str, Input] = {
    "mu": Input(
        "μ", "posterior mean, or the parameter itself, after the step", "theta", "parameter"
    ),
    "grad": Input(
        "g",
        "gradient of the training loss the step was taken with, orthogonality penalty included",
        "1/theta",
        "parameter",
    ),
    "sigma": Input(
        "σ",
        "posterior standard deviation after the step, 1/sqrt(ess (hess + weight_decay))",
        "theta",
        "posterior",
    ),
    "hess": Input("h", "IVON's running Hessian estimate after the step", "1/theta^2", "posterior"),
    "fisher_batch": Input(
        "F̂_B",
        "debiased exponential running mean of squared mini-batch gradients",
        "1/theta^2",
        "smoothing",
    ),
    "sens_ema": Input("Ī", "AdaLoRA's smoothed sensitivity", "1", "smoothing"),
    "unc_ema": Input("Ū", "AdaLoRA's smoothed uncertainty of the sensitivity", "1", "smoothing"),
    "sens_ema_long": Input(
        "⟨|θg|⟩", "running mean of |θ g| with the horizon of F̂_B", "1", "smoothing"
    ),
    "sens_sq_ema": Input(
        "⟨(θg)²⟩_s", "running mean of (θ g)² with the horizon of Ī", "1", "smoothing"
    ),
    "sens_sq_ema_long": Input(
        "⟨(θg)²⟩", "running mean of (θ g)² with the horizon of F̂_B", "1", "smoothing"
    ),
    "grad_abs_ema": Input(
        "⟨|g|⟩_s", "running mean of |g| with the horizon of Ī", "1/theta", "smoothing"
    ),
    "grad_abs_ema_long": Input(
        "⟨|g|⟩", "running mean of |g| with the horizon of F̂_B", "1/theta", "smoothing"
    ),
    "grad_sq_ema": Input(
        "⟨g²⟩_s", "running mean of g² with the horizon of Ī", "1/theta^2", "smoothing"
    ),
}
"""The vocabulary: every name that may stand as a parameter of a score."""

CONTEXT: dict[str, str] = {
    "reduce": "function (tensor of all elements, how) -> one value a triplet by factor E, A, B",
    "step": "number of optimizer steps taken, from 1",
    "triplet": "index of each triplet, from 0, over the whole model",
}
"""What a score of whole triplets may ask for besides; it asks for one of these at least."""
