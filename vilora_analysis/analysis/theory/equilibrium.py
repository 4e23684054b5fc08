"""Where does 1/sigma come from: h's initial value, curvature, or the optimizer's own correction?

IVON's update of h has a term that keeps h positive, and that adds up to ½(1 − β₂) ess E[g²] on its
own, see :mod:`vilora_analysis.analysis.theory.hessian_law`. So a Hessian that follows the squared
gradient may do so without being a Fisher.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.steps import decision_step, posterior_factors
from vilora_analysis.analysis.theory.hessian_law import (
    accumulated_correction,
    correction_rate,
    decay_of_h,
    relative_spread,
)
from vilora_analysis.analysis.theory.ivon_settings import ivon_settings, unsettled
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps

__all__ = ["equilibrium", "equilibrium_points", "has_equilibrium"]

_SETTINGS = ("beta2", "ess", "hess_init", "weight_decay")
_NEEDED = (*_SETTINGS, "mc_samples", "fisher_beta")
_COLUMNS = ("hess", "fisher_batch")
_KEYS = ("module", "matrix", "layer", "k")
_DOMINATES, _MAIN = 2.0, 0.5
_RESOLVED = 0.0086  # 2% on a log axis
_Z = 1.959964


@dataclass(frozen=True)
class _Parts:
    """h of one factor at some steps, and what it is expected to be; shape (steps, triplets)."""

    steps: np.ndarray
    factor: str
    hess: np.ndarray
    initial: np.ndarray
    correction: np.ndarray


def has_equilibrium(run: Run) -> bool:
    """Whether a run recorded h and squared gradients, and one set of IVON's settings."""
    factors = posterior_factors(run)
    return bool(factors) and not _missing(run, factors) and not unsettled(run, _NEEDED)


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
    rows = [
        {"run": run.name, "step": int(step), "factor": parts.factor}
        | _measures(parts, at, ivon_settings(run, _NEEDED))
        for parts in _walk(run, steps)
        for at, step in enumerate(parts.steps)
    ]
    return pd.DataFrame(rows).sort_values("step", kind="stable", ignore_index=True)


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
    settings = ivon_settings(run, _NEEDED)
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
            **{name: settings[name] for name in _SETTINGS[:3]},
        )
        for parts in _walk(run, step)
    ]
    points = pd.concat(frames, ignore_index=True)
    return points[["run", "step", "factor", *points.columns.drop(["run", "step", "factor"])]]


def _walk(run: Run, steps: Steps) -> Iterator[_Parts]:
    factors = posterior_factors(run)
    missing = _missing(run, factors)
    if missing or not factors:
        raise LogError(
            f"{run.path} records no {', '.join(missing) or 'sigma'}; where h comes from can be "
            "told of a run trained with IVON"
        )
    known = ivon_settings(run, _NEEDED)
    chosen = decision_step(run) if steps is None else steps
    # what came before is needed too
    blocks = list(run.blocks([f"{n}_{f}" for n in _COLUMNS for f in factors]))
    at = np.concatenate([block.steps for block in blocks])
    wanted = np.isin(at, _numbers(run, f"hess_{factors[0]}", chosen))
    left = known["hess_init"] * decay_of_h(known["beta2"]) ** at[:, None].astype(float)
    for factor in factors:
        hess, fisher = (
            np.concatenate([b.values[f"{n}_{factor}"] for b in blocks]).astype(float)
            for n in _COLUMNS
        )
        correction = accumulated_correction(
            at,
            fisher,
            rate=correction_rate(known["ess"], known["beta2"], int(known["mc_samples"])),
            beta2=known["beta2"],
            fisher_beta=known["fisher_beta"],
        )
        initial = np.broadcast_to(left, hess.shape)
        yield _Parts(at[wanted], factor, hess[wanted], initial[wanted], correction[wanted])


def _numbers(run: Run, column: str, chosen: Steps) -> np.ndarray:
    return np.concatenate([block.steps for block in run.blocks([column], chosen)])


def _missing(run: Run, factors: tuple[str, ...]) -> list[str]:
    needed = {f"{name}_{factor}" for name in _COLUMNS for factor in factors}
    return sorted(needed - set(run.columns))


def _measures(parts: _Parts, at: int, known: Mapping[str, float]) -> dict[str, float | str]:
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
        **{name: known[name] for name in _SETTINGS},
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
        **_agreement(hess, predicted),
        "regime": _regime(shares, low),
    }


def _rest(ratio: float) -> float:
    """Share of h that is not predicted; without bound below where h may be nothing."""
    return 1 - 1 / ratio if ratio > 0 else -np.inf


def _agreement(hess: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    varied = bool(np.ptp(hess) > 0 and np.ptp(predicted) > 0)
    there = (hess > 0) & (predicted > 0)
    x, y = np.log10(predicted[there]), np.log10(hess[there])
    line = len(x) > 1 and np.ptp(x) > _RESOLVED and np.ptp(y) > 0
    return {
        "spearman": float(stats.spearmanr(hess, predicted).statistic) if varied else np.nan,
        "slope": float(stats.linregress(x, y).slope) if line else np.nan,
    }


def _regime(shares: Mapping[str, float], low: float) -> str:
    first, second = sorted(shares, key=lambda name: -abs(shares[name]))[:2]
    if shares[first] < _MAIN or shares[first] < _DOMINATES * abs(shares[second]):
        return "mixed"
    if first != "remainder":
        return first
    return "curvature" if low >= _MAIN else "mixed"
