r"""What IVON's Hessian is expected to become: the mean of its update, in closed form.

With s = ess (h + δ), the noise ε ~ N(0, 1/s) and f = g ε s, one update is

.. math:: h \leftarrow \beta_2 h + (1-\beta_2) f + \tfrac12 (1-\beta_2)^2 (h - f)^2/(h + \delta).

E[f] is the curvature c (Stein's identity), and E[f²] = s E[g²] + 2c², exactly so for a gradient
linear in ε. Hence the last term, which keeps h positive, also pulls h towards κ ess E[g²] with
κ = ½(1 − β₂). ``docs/theory.md`` has the derivation.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "accumulated_correction",
    "correction_rate",
    "decay_of_h",
    "fixed_point",
    "relative_spread",
]


def correction_rate(ess: float, beta2: float, mc_samples: int = 1) -> float:
    r"""Factor of E[g²] in the equilibrium of h: ½(1 − β₂) ess.

    Parameters
    ----------
    ess
        Effective sample size.
    beta2
        Decay of h.
    mc_samples
        Draws of the weights that a step averages over; f averages over them too, which divides the
        part of E[f²] that goes with E[g²].

    Examples
    --------
    >>> round(correction_rate(1e8, 0.99))
    500000
    """
    return 0.5 * (1 - beta2) * ess / mc_samples


def fixed_point(
    curvature: ArrayLike, fisher: ArrayLike, *, ess: float, beta2: float, weight_decay: float
) -> np.ndarray:
    r"""The h that one update leaves where it is, on average.

    The positive root of
    (h − c − κ ess F)(h + δ) = κ (h² − 2hc + 2c²), with κ = ½(1 − β₂): c + κ ess F up to a relative
    κ, where c is not negative.

    Parameters
    ----------
    curvature
        c, the expected second derivative of the loss.
    fisher
        F = E[g²], of the gradient at the sampled weights.
    ess, beta2, weight_decay
        Settings of IVON.

    Returns
    -------
    ndarray
        Of the broadcast shape.

    Notes
    -----
    The mean of h is this only as far as E[1/(h + δ)] is 1/(E[h] + δ), which matters to the right
    side alone. With c < 0 and not small beside κ ess F, h hovers close to zero, where that fails.

    Examples
    --------
    >>> h = fixed_point(0.0, 1e-8, ess=1e8, beta2=0.9, weight_decay=0.0)
    >>> round(float(h), 6)  # 0.05 / (1 - 0.05)
    0.052632
    """
    kappa = 0.5 * (1 - beta2)
    c = np.asarray(curvature, dtype=float)
    near = c + kappa * ess * np.asarray(fisher, dtype=float)
    b = weight_decay - near + 2 * kappa * c
    root: np.ndarray = np.sqrt(b * b + 4 * (1 - kappa) * (near * weight_decay + 2 * kappa * c * c))
    return np.asarray((root - b) / (2 * (1 - kappa)))


def decay_of_h(beta2: float) -> float:
    r"""What is left of h after a step without gradient: β₂, and h²/(h + δ) of the last term.

    Examples
    --------
    >>> decay_of_h(0.9)
    0.905
    """
    return beta2 + 0.5 * (1 - beta2) ** 2


def accumulated_correction(
    steps: np.ndarray,
    fisher: Iterable[np.ndarray],
    *,
    rate: float,
    beta2: float,
    fisher_beta: float,
    wanted: np.ndarray | None = None,
) -> np.ndarray:
    r"""What the correction term alone has put into h by each step, on average.

    That is rate (1 − β₂) Σ_s b^(t−s) g_s², with b = β₂ + ½(1 − β₂)². Each stretch between two steps
    gives its own mean of g², which then decays as h does: exactly so if every step is given, and
    nearly if the squared gradient was averaged with nearly the decay of h.

    Parameters
    ----------
    steps
        Recorded steps, ascending, from the first one on; shape (steps,).
    fisher
        Debiased running mean of squared gradients at these steps, one array of any shape for each;
        taken one after the other, so that they need not be there at once.
    rate
        As :func:`correction_rate` gives it.
    beta2, fisher_beta
        Decays of h and of ``fisher``; 1 for a plain mean.
    wanted
        Boolean of shape (steps,), at which of them to say it; at all if None.

    Returns
    -------
    ndarray
        Shape (wanted steps, ...).
    """
    asked = np.ones(len(steps), dtype=bool) if wanted is None else wanted
    decay, found = decay_of_h(beta2), []
    now, total, before = np.zeros(()), np.zeros(()), 0
    for step, mean, said in zip(steps.tolist(), fisher, asked, strict=True):
        apart, weighted = step - before, _weights(step, fisher_beta) * mean.astype(float)
        squares = (weighted - fisher_beta**apart * total) / _weights(apart, fisher_beta)
        now = decay**apart * now + rate * (1 - beta2) * _weights(apart, decay) * squares
        total, before = weighted, step
        if said:
            found.append(now)
    return np.array(found)


def _weights(count: int, beta: float) -> float:
    """Sum of the weights β⁰ to β^(count−1) of a running sum."""
    return float(count) if beta >= 1 else (1 - beta**count) / (1 - beta)


def relative_spread(initial: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    r"""Standard deviation of h over its mean, of a single parameter without curvature.

    Beside the correction term, an update adds (1 − β₂) g ε s, of variance (1 − β₂)² s g². To first
    order in 1 − β₂ that makes h + δ a square-root diffusion (Cox, Ingersoll and Ross 1985), whose
    variance is predicted² − initial². In equilibrium its law is a Gamma of shape
    1 + c/(κ ess F), so without curvature an exponential: a spread of 1, a median of 0.69 means.

    Parameters
    ----------
    initial
        What is left of the initial value.
    predicted
        The same plus the accumulated correction.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        spread: np.ndarray = np.sqrt(np.clip(1 - (initial / predicted) ** 2, 0, None))
    return spread
