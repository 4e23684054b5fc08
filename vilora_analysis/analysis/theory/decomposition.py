"""How much of the SNR is magnitude, and how much is uncertainty?

log snr = log |mu| − log sigma. Each of the two gets its Shapley value: what it adds, averaged over
both orders of adding them (Shapley 1953; for a variance, Owen 2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from vilora_analysis.analysis.engine import map_blocks
from vilora_analysis.analysis.shadow import unpruned_step
from vilora_analysis.analysis.steps import posterior_factors
from vilora_analysis.analysis.variation import spearman
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, StepBlock
from vilora_analysis.log.reader import Steps

__all__ = ["decomposition", "element_decomposition", "has_decomposition"]

_SCORES = ("snr", "mean_abs", "inverse_std")


def has_decomposition(run: Run) -> bool:
    """Whether a run recorded a posterior and its snr."""
    factors = posterior_factors(run)
    needed = {column for factor in factors for column in _columns(run, factor)}
    return bool(factors) and needed <= set(run.columns)


def decomposition(run: Run, *, steps: Steps = None) -> pd.DataFrame:
    """Split snr over the triplets into magnitude and inverse width, by step and factor.

    Parameters
    ----------
    run
        A run of an optimizer with a posterior.
    steps
        Steps to look at; if None the last at which nothing had been pruned, as |mu| of a pruned E
        is held at 0, which the kept set explains and no ingredient of the score.
        ``slice(None)`` for all.

    Returns
    -------
    DataFrame
        A row a step and factor, and ``all`` for the triplet's score if mean_abs and inverse_std
        were recorded as scores beside snr:

        - step, factor, ``of`` (``triplets``), n, ``excluded`` (not positive, so without logarithm;
          they count for ranks);
        - ``variance``: of log snr over the triplets;
        - ``share_mu``, ``share_sigma``: cov(log snr, log |mu|) and cov(log snr, −log sigma) over
          that variance, the Shapley values of the variance of a sum. A share is negative where an
          ingredient works against the other, and NaN where snr does not vary;
        - ``share_rest``: what both leave. It is 0 for E, and for elements. A row of A, a column of
          B and a whole triplet average a product over elements, which is no product of averages;
        - ``rho_mu``, ``rho_sigma``: Spearman's correlation of snr with |mu| and with 1/sigma; NaN
          where either is constant;
        - ``rank_mu``, ``rank_sigma``: Shapley values of the squared Spearman correlation of snr and
          the score made of a subset of the ingredients, the others held constant. They add up to
          1; a constant ingredient orders nothing and counts as 0.

        Both ingredients are the recorded parts ``score.mean_abs.X`` and ``score.inverse_std.X``,
        which are snr with the other one held constant; if those were not recorded, the root mean
        squares ``mu_X`` and ``sigma_X``.

    Raises
    ------
    LogError
        If the run recorded no posterior or snr, or not that step, or pruned before the first
        recorded step and none was asked for.
    """
    factors = posterior_factors(run)
    wanted = {f: _columns(run, f) for f in factors}
    if set(_totals()) <= set(run.columns):
        wanted["all"] = _totals()
    missing = sorted({c for names in wanted.values() for c in names} - set(run.columns))
    if missing or not factors:
        raise LogError(
            f"{run.path} records no {', '.join(missing) or 'sigma'}; what snr is made of can be "
            "told of a run trained with IVON that records the score snr"
        )
    chosen = _first(run) if steps is None else steps
    columns = list(dict.fromkeys(column for names in wanted.values() for column in names))
    found = map_blocks(run, columns, chosen, partial(_of_block, wanted=wanted))
    return _tidy([part for parts in found for part in parts])


def _of_block(block: StepBlock, wanted: Mapping[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    return [
        {"step": block.steps, "factor": factor, "of": "triplets"}
        | _split(*_sides(block.values, names))
        for factor, names in wanted.items()
    ]


def element_decomposition(run: Run, *, steps: Steps = None) -> pd.DataFrame:
    """As :func:`decomposition`, exactly: over all elements of a factor, in recorded snapshots.

    Parameters
    ----------
    run
        A run recorded with ``elements_every``.
    steps
        Steps of snapshots; all if None.

    Raises
    ------
    LogError
        If the run has no snapshots of mu and sigma, or not of that step.
    """
    found = run.elements(["step", "factor", "mu", "sigma"], steps)
    if found.empty:
        raise LogError(
            f"{run.path} has no element snapshots; record it with elements_every "
            "(vilora train --elements-every N)"
        )
    parts = [
        {"step": int(str(step)), "factor": str(factor), "of": "elements"}
        | _split(mu / sigma, mu, 1 / sigma)
        for (step, factor), group in found.groupby(["step", "factor"], sort=False, observed=True)
        for mu, sigma in [_vectors(group)]
    ]
    return _tidy(parts)


def _tidy(parts: list[dict[str, Any]]) -> pd.DataFrame:
    whole = pd.concat(map(pd.DataFrame, parts))
    return whole.sort_values("step", kind="stable", ignore_index=True)


def _vectors(group: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """|mu| and sigma of all elements, as one step; shape (1, elements)."""
    mu, sigma = (np.concatenate(list(group[name])).astype(float) for name in ("mu", "sigma"))
    return np.abs(mu)[None], sigma[None]


def _first(run: Run) -> int:
    step = unpruned_step(run)
    if step is None:
        raise LogError(
            f"{run.path} had pruned by its first recorded step, and |mu| of a pruned E is 0 by "
            "that alone; say which step to look at in spite of it"
        )
    return step


def _columns(run: Run, factor: str) -> tuple[str, ...]:
    parts = tuple(f"score.{name}.{factor}" for name in _SCORES)
    if set(parts[1:]) <= set(run.columns):
        return parts
    return (parts[0], f"mu_{factor}", f"sigma_{factor}")


def _totals() -> tuple[str, ...]:
    return tuple(f"score.{name}" for name in _SCORES)


def _sides(
    values: Mapping[str, np.ndarray], names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """snr, |mu| and 1/sigma; shape (steps, triplets)."""
    snr, mu, width = (values[name].astype(float) for name in names)
    with np.errstate(divide="ignore"):
        return snr, np.abs(mu), width if names[2].startswith("score.") else 1 / width


def _split(snr: np.ndarray, mu: np.ndarray, inverse: np.ndarray) -> dict[str, Any]:
    """Shares by step: columns of equal length."""
    positive = np.isfinite(snr) & (snr > 0) & (mu > 0) & (inverse > 0)
    rows = [
        {"n": snr.shape[1], "excluded": int((~there).sum())}
        | _variances(*(np.log(side[there]) for side in sides))
        for there, *sides in zip(positive, snr, mu, inverse, strict=True)
    ]
    rho_mu, rho_sigma = spearman(snr, mu), spearman(snr, inverse)
    # v(∅) = 0 and v(both) = 1
    rank_mu = 0.5 * (1 + np.nan_to_num(rho_mu) ** 2 - np.nan_to_num(rho_sigma) ** 2)
    rank_mu[np.ptp(snr, axis=1) == 0] = np.nan
    shares = {name: [row[name] for row in rows] for name in rows[0]}
    ranks = {"rho_mu": rho_mu, "rho_sigma": rho_sigma, "rank_mu": rank_mu}
    return {**shares, **ranks, "rank_sigma": 1 - rank_mu}


def _variances(snr: np.ndarray, mu: np.ndarray, inverse: np.ndarray) -> dict[str, float]:
    if len(snr) < 2 or np.ptp(snr) == 0:
        shares = dict.fromkeys(("share_mu", "share_sigma", "share_rest"), np.nan)
        return {"variance": 0.0 if len(snr) else np.nan, **shares}
    centred = snr - snr.mean()
    # no dot products: of more than 10,000 triplets their last bit depends on the threads at work
    variance = float((centred * centred).sum()) / len(snr)
    share_mu, share_sigma = (
        float((centred * (side - side.mean())).sum()) / len(snr) / variance
        for side in (mu, inverse)
    )
    return {
        "variance": variance,
        "share_mu": share_mu,
        "share_sigma": share_sigma,
        "share_rest": 1 - share_mu - share_sigma,
    }
