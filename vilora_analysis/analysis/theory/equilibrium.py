"""Where does 1/sigma come from: h's initial value, curvature, or the optimizer's own correction?

IVON's update of h has a term that keeps h positive, and that adds up to ½(1 − β₂) ess E[g²] on its
own, see :mod:`vilora_analysis.analysis.theory.hessian_law`. So a Hessian that follows the squared
gradient may do so without being a Fisher.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from vilora_analysis.analysis.steps import decision_step, posterior_factors
from vilora_analysis.analysis.theory.equilibrium_parts import (
    NEEDED,
    SETTINGS,
    Parts,
    missing_columns,
    walk,
)
from vilora_analysis.analysis.theory.hessian_law import decay_of_h, relative_spread
from vilora_analysis.analysis.theory.ivon_settings import ivon_settings, unsettled
from vilora_analysis.analysis.variation import spearman
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps

__all__ = ["equilibrium", "equilibrium_points", "equilibrium_whole", "has_equilibrium"]

_KEYS = ("module", "matrix", "layer", "k")
_DOMINATES, _MAIN = 2.0, 0.5
_RESOLVED = 0.0086  # 2% on a log axis
_Z = 1.959964


def has_equilibrium(run: Run) -> bool:
    """Whether a run recorded h and squared gradients, and one set of IVON's settings."""
    factors = posterior_factors(run)
    return bool(factors) and not missing_columns(run, factors) and not unsettled(run, NEEDED)


def equilibrium(run: Run, *, steps: Steps = None) -> pd.DataFrame:
    """Share of h that each source accounts for, by step and factor.

    Parameters
    ----------
    run
        A run of IVON.
    steps
        Steps to look at; the last decision if None, ``slice(None)`` for all.

    Returns
    -------
    DataFrame
        A row a step and factor: run, step, factor, n (triplets), beta2, ess, hess_init,
        weight_decay, and

        - ``decayed``: what an update without gradient leaves of h, (β₂ + ½(1 − β₂)²)^t; ``hess``:
          median of h;
        - ``ratio``: mean over triplets of h / predicted, where predicted is what is left of h₀ and
          what the correction term has added, in expectation over IVON's noise, from the recorded
          squared gradients; 1 without curvature. ``ratio_low``, ``ratio_high``: its 95% bounds, as
          if triplets were independent; ``ratio_median``;
        - ``share_initial``, ``share_correction``, ``share_remainder``: these two and what is left
          of h, over predicted, their means over triplets divided by ``ratio``, so that they add up
          to 1 and each triplet counts the same. The remainder is the running mean of curvature, and
          noise of mean zero; it can be negative. A gradient whose size depends on the noise of its
          own weight counts there too. ``remainder_low``, ``remainder_high``: its 95%
          bounds;
        - ``spread``: root mean square distance of h / predicted from 1, and ``spread_expected``
          without curvature, of E only: h of a single parameter is a noisy draw;
        - ``spearman``, ``slope``: rank correlation of h with predicted, and slope of log h over log
          predicted; NaN where one side is constant, the slope also where predicted is within 2%;
        - ``regime``: ``initial``, ``correction`` or ``curvature`` if that share is at least half
          and twice any other, for curvature by its lower bound; else ``mixed``.

    Raises
    ------
    LogError
        If the run recorded no h or squared gradients, no step or not that one, or does not tell
        IVON's settings.

    Notes
    -----
    For IVON's default estimate of the Hessian, ``hess_approx="price"``. Neither ``clip_radius`` nor
    ``rescale_lr`` nor the debiasing enters: they act on the step of mu alone.
    """
    return _frame(run, walk(run, decision_step(run) if steps is None else steps))


def equilibrium_points(run: Run, *, step: int | None = None) -> pd.DataFrame:
    """The same triplet by triplet.

    Parameters
    ----------
    run
        A run of IVON.
    step
        Recorded step; the last decision by default.

    Returns
    -------
    DataFrame
        run, step, factor, module, matrix, layer, k, hess, initial, correction, predicted (the sum
        of these two), remainder, beta2, ess, hess_init.

    Raises
    ------
    LogError
        As :func:`equilibrium`.
    """
    return _points(run, walk(run, decision_step(run) if step is None else step))


def equilibrium_whole(
    run: Run, steps: Sequence[int]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """:func:`equilibrium` and its points at the last decision, and at some steps; read once.

    Parameters
    ----------
    run
        A run of IVON.
    steps
        Recorded steps, for the last of the three frames.

    Raises
    ------
    LogError
        As :func:`equilibrium`.
    """
    last = decision_step(run)
    parts = [*walk(run, sorted({last, *steps}))]
    whole = _frame(run, parts)
    chosen = (whole["step"] == last, whole["step"].isin(steps))
    end, over_time = (whole[rows].reset_index(drop=True) for rows in chosen)
    return end, _points(run, [part.only(last) for part in parts]), over_time


def _frame(run: Run, whole: Iterable[Parts]) -> pd.DataFrame:
    whole = [*whole]  # says first what was not recorded
    known = ivon_settings(run, NEEDED)
    rows = [
        {"run": run.name, "step": int(step), "factor": parts.factor} | measures
        for parts in whole
        for step, measures in zip(parts.steps, _measures(parts, known), strict=True)
    ]
    return pd.DataFrame(rows).sort_values("step", kind="stable", ignore_index=True)


def _points(run: Run, whole: Iterable[Parts]) -> pd.DataFrame:
    settings = ivon_settings(run, NEEDED)
    frames = [
        run.modules[list(_KEYS)].assign(
            run=run.name,
            step=int(parts.steps[0]),
            factor=parts.factor,
            hess=parts.hess[0],
            initial=parts.initial[0],
            correction=parts.correction[0],
            predicted=(parts.initial + parts.correction)[0],
            remainder=(parts.hess - parts.initial - parts.correction)[0],
            **{name: settings[name] for name in SETTINGS[:3]},
        )
        for parts in whole
    ]
    points = pd.concat(frames, ignore_index=True)
    return points[["run", "step", "factor", *points.columns.drop(["run", "step", "factor"])]]


def _measures(parts: Parts, known: Mapping[str, float]) -> list[dict[str, float | str]]:
    """By step."""
    ranks = spearman(parts.hess, parts.initial + parts.correction)
    return [_measure(parts, at, known) | {"spearman": float(rank)} for at, rank in enumerate(ranks)]


def _measure(parts: Parts, at: int, known: Mapping[str, float]) -> dict[str, float | str]:
    hess, initial, correction = parts.hess[at], parts.initial[at], parts.correction[at]
    predicted = initial + correction
    relative = hess / predicted
    ratio, margin = float(relative.mean()), _Z * float(relative.std()) / np.sqrt(len(hess))
    shares = {
        "initial": float((initial / predicted).mean()) / ratio,
        "correction": float((correction / predicted).mean()) / ratio,
        "remainder": 1 - 1 / ratio,
    }
    spread = float(np.sqrt((relative_spread(initial, predicted) ** 2).mean()))
    low, high = (_rest(ratio + sign * margin) for sign in (-1, 1))
    return {
        "n": len(hess),
        **{name: known[name] for name in SETTINGS},
        "decayed": float(decay_of_h(known["beta2"]) ** parts.steps[at]),
        "hess": float(np.median(hess)),
        "ratio": ratio,
        "ratio_low": ratio - margin,
        "ratio_high": ratio + margin,
        "ratio_median": float(np.median(relative)),
        **{f"share_{name}": share for name, share in shares.items()},
        "remainder_low": low,
        "remainder_high": high,
        "spread": float(np.sqrt(((relative - 1) ** 2).mean())),
        "spread_expected": spread if parts.factor == "E" else np.nan,
        "spearman": np.nan,
        "slope": _slope(hess, predicted),
        "regime": _regime(shares, low),
    }


def _rest(ratio: float) -> float:
    """Share of h that is not predicted; without bound below where h may be nothing."""
    return 1 - 1 / ratio if ratio > 0 else -np.inf


def _slope(hess: np.ndarray, predicted: np.ndarray) -> float:
    """Least squares, of logarithms."""
    there = (hess > 0) & (predicted > 0)
    x, y = np.log10(predicted[there]), np.log10(hess[there])
    if len(x) < 2 or np.ptp(x) <= _RESOLVED or np.ptp(y) == 0:
        return np.nan
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred))


def _regime(shares: Mapping[str, float], low: float) -> str:
    first, second = sorted(shares, key=lambda name: -abs(shares[name]))[:2]
    if shares[first] < _MAIN or shares[first] < _DOMINATES * abs(shares[second]):
        return "mixed"
    if first != "remainder":
        return first
    return "curvature" if low >= _MAIN else "mixed"
