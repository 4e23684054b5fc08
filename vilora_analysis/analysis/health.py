"""Does sigma say anything in this run? What the Hessian became, and what it does to the scores.

IVON's sigma is 1/sqrt(ess (h + weight_decay)), so it knows of the data what h has learned of them.
Where h is still its initial value, sigma is the same everywhere, and |mu|/sigma is |mu|.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from vilora_analysis.analysis.engine import map_blocks
from vilora_analysis.analysis.steps import decision_step, posterior_factors
from vilora_analysis.analysis.variation import outweighs, rms, share_of, spearman, spread
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, StepBlock
from vilora_analysis.log.reader import Steps

__all__ = ["MEASURES", "has_health", "health", "health_over_time", "health_points"]

MEASURES: tuple[str, ...] = (
    "initial_left",
    "initial_share",
    "sigma_cv",
    "sigma_outweighs",
    "hess_fisher",
    "snr_mean_abs",
    "snr_inverse_std",
    "sigma_to_weights",
    "clip_rate",
)
"""Columns of the frames of :func:`health` that are measured; that function says what each is."""

_INPUTS = ("mu", "sigma", "hess", "fisher_batch")
_SCORES = ("snr", "mean_abs", "inverse_std")


@dataclass(frozen=True)
class _Known:
    """What the steps are held against."""

    factors: tuple[str, ...]
    hess_init: float
    beta2: float
    weights: Mapping[str, float]
    clip_rate: pd.Series


def has_health(run: Run) -> bool:
    """Whether a run recorded a posterior that can be looked at."""
    factors, needed = _sides(run)
    return bool(factors) and set(needed) <= set(run.columns)


def health(run: Run, step: int | None = None) -> pd.DataFrame:
    """Measure what sigma carries at one step, by factor and, where that means something, over all.

    Parameters
    ----------
    run
        A run of an optimizer with a posterior.
    step
        Recorded step; the last decision by default.

    Returns
    -------
    DataFrame
        A row a factor (E, A, B; of LoRA A, B), and ``all``: step, factor, n (triplets), and

        - ``initial_left``: share of h's initial value that its update has left, beta2^t after t
          steps, from the manifest;
        - ``initial_share``: what that rest makes up of h as it is now, the median over triplets of
          hess_init beta2^t / h. About 1 if h has learned nothing, above 1 if it has shrunk;
        - ``sigma_cv``: coefficient of variation of sigma over triplets;
        - ``sigma_outweighs``: share of the pairs of triplets in which sigma differs by a larger
          factor than |mu|. As log snr = log |mu| - log sigma, in no other pair can sigma turn the
          order. Pairs of equal |mu| are left out: there are many among pruned E, which a step at
          the clip radius moves away from zero all alike;
        - ``hess_fisher``: Spearman's correlation of h and the running mean of squared gradients;
        - ``snr_mean_abs``, ``snr_inverse_std``: Spearman's correlation of the score snr with
          mean_abs and inverse_std, of a factor's part or, in ``all``, of the triplet's score;
        - ``sigma_to_weights``: root mean square of sigma, over that of mu at the first recorded
          step; NaN for a factor that started at zero;
        - ``clip_rate``: share of adapter elements whose step IVON cut at its clip radius.

        NaN is what cannot be said: a correlation with a constant or of scores that are not
        recorded, the rest of the initial value where param groups differ or do not tell, and the
        clip rate of logs that were written before it was recorded.

    Raises
    ------
    LogError
        If the run recorded no posterior, no step, or not that one.

    Notes
    -----
    A row of A or column of B counts with its root mean square of mu and sigma and its mean of h,
    which is what the log has of it.

    If log sigma and log |mu| are normal and independent, with standard deviations of ratio r,
    sigma outweighs in (2/π) arctan r of the pairs and turns the order of half of these. A ratio of
    variances says the same then; but |mu| of E reaches close to zero, and its variance on a log
    axis is that of a few triplets which no score would keep.
    """
    return _measured(run, decision_step(run) if step is None else step)


def health_over_time(run: Run, *, steps: Steps = None) -> pd.DataFrame:
    """As :func:`health`, step by step; reads part by part.

    Parameters
    ----------
    run
        A run of an optimizer with a posterior.
    steps
        Steps to look at; all recorded ones if None.

    Raises
    ------
    LogError
        As :func:`health`.
    """
    decision_step(run)  # says so if no step is recorded
    return _measured(run, steps)


def health_points(run: Run, step: int | None = None) -> pd.DataFrame:
    """Values of sigma and h behind :func:`health`, triplet by triplet.

    Returns
    -------
    DataFrame
        factor, step, module, matrix, layer, k, kept, sigma, hess, and hess_init, the value that h
        began with (NaN where param groups differ or do not tell).

    Raises
    ------
    LogError
        As :func:`health`.
    """
    chosen, factors = decision_step(run) if step is None else step, _factors(run)
    keys = ["step", "module", "matrix", "layer", "k", "kept"]
    columns = [f"{name}_{factor}" for name in ("sigma", "hess") for factor in factors]
    rows = run.triplets([*keys, *columns], chosen)
    frames = [
        rows[keys].assign(factor=factor, sigma=rows[f"sigma_{factor}"], hess=rows[f"hess_{factor}"])
        for factor in factors
    ]
    points = pd.concat(frames, ignore_index=True).assign(hess_init=_setting(run, "hess_init"))
    return points[["factor", *keys, "sigma", "hess", "hess_init"]]


def _sides(run: Run) -> tuple[tuple[str, ...], list[str]]:
    """Factors with a posterior, and the columns that are needed of them."""
    factors = posterior_factors(run)
    return factors, [f"{name}_{factor}" for name in _INPUTS for factor in factors]


def _factors(run: Run) -> tuple[str, ...]:
    factors, needed = _sides(run)
    missing = sorted(set(needed) - set(run.columns))
    if missing or not factors:
        raise LogError(
            f"{run.path} records no {', '.join(missing) or 'sigma'}; the health of a posterior "
            "needs a run trained with IVON"
        )
    return factors


def _measured(run: Run, steps: Steps) -> pd.DataFrame:
    known, scores = _known(run), [name for name in _SCORES if name in run.score_names]
    columns = [
        *_sides(run)[1],
        *(f"score.{name}{of}" for name in scores for of in ("", *(f".{f}" for f in known.factors))),
    ]
    of_block = partial(_of_block, known=known)
    parts = [part for found in map_blocks(run, columns, steps, of_block) for part in found]
    names = ("step", "factor", "n", *MEASURES)
    whole = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in names})
    return whole.sort_values("step", kind="stable", ignore_index=True)


def _known(run: Run) -> _Known:
    factors = _factors(run)
    first = run.triplets([f"mu_{factor}" for factor in factors], int(run.steps[0]))
    metrics = run.metrics().set_index("step")
    return _Known(
        factors,
        _setting(run, "hess_init"),
        _setting(run, "beta2"),
        {f: float(rms(first[f"mu_{f}"].to_numpy(dtype=float)[None])[0]) for f in factors},
        metrics.get("clip_rate", pd.Series(dtype=float)),
    )


def _setting(run: Run, key: str) -> float:
    """A setting of the optimizer; NaN unless all param groups agree: whose is whose is not told."""
    groups = run.manifest.optimizer.get("groups") or [{}]
    values = {group.get(key) for group in groups}
    value = values.pop() if len(values) == 1 else None
    return float(value) if isinstance(value, (int, float)) else np.nan


def _of_block(block: StepBlock, known: _Known) -> list[dict[str, Any]]:
    """Columns of a factor each; a measure that there is none of is NaN."""
    values = {name: array.astype(np.float64) for name, array in block.values.items()}
    left = known.beta2**block.steps
    rest = known.hess_init * left[:, None]
    parts = {f: _of_factor(values, f, rest, known) for f in known.factors}
    parts["all"] = {
        "initial_share": share_of(rest, [values[f"hess_{f}"] for f in known.factors]),
        "clip_rate": known.clip_rate.reindex(block.steps).to_numpy(dtype=float),
        **_score_ranks(values, ""),
    }
    n, ones = next(iter(values.values())).shape[1], np.ones(len(block.steps), dtype=np.int64)
    same = {**dict.fromkeys(MEASURES, np.nan * ones), "step": block.steps, "n": n * ones}
    return [
        {**same, "factor": np.repeat(factor, len(ones)), "initial_left": left, **part}
        for factor, part in parts.items()
    ]


def _of_factor(
    values: Mapping[str, np.ndarray], factor: str, rest: np.ndarray, known: _Known
) -> dict[str, np.ndarray]:
    mu, sigma, hess, fisher = (values[f"{name}_{factor}"] for name in _INPUTS)
    weights = known.weights[factor]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rms(sigma) / weights if weights else np.full(len(sigma), np.nan)
        variation = spread(sigma) / sigma.mean(axis=1)
    return {
        "initial_share": share_of(rest, [hess]),
        "sigma_cv": variation,
        "sigma_outweighs": np.array([*map(outweighs, np.abs(mu), sigma)]),
        "hess_fisher": spearman(hess, fisher),
        "sigma_to_weights": ratio,
        **_score_ranks(values, f".{factor}"),
    }


def _score_ranks(values: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    snr = values.get(f"score.snr{part}")
    others = {name: values.get(f"score.{name}{part}") for name in _SCORES[1:]}
    return {
        f"snr_{name}": spearman(snr, other)
        for name, other in others.items()
        if snr is not None and other is not None
    }
