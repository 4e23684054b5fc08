"""The Fisher of single examples beside what the log has: both sides of each link.

The paper's section V.D takes h for the Fisher, and the Fisher for a mean of squared gradients. Of
which gradients? Of single examples it is the empirical Fisher, ``fisher_example``; training sees
those of batches, ``fisher_batch``. Averaging B examples before squaring leaves
ḡ² + S² (1/B - 1/M), ḡ the mean gradient of M examples and S² their variance
(:mod:`vilora_analysis.fisher.moments`): about fisher_example / B where examples disagree.

Both are measured here on examples with labels, at the posterior mean, without dropout. What was
recorded along the training is of weights drawn from the posterior, with dropout; ``fisher_batch``
is a running mean of steps past besides. Links to both say how far that goes.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from vilora_analysis.analysis.theory.example_fisher_links import FISHER_LINKS, WINDOW, FisherLink
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.fisher import FisherFiles

__all__ = ["example_fisher_points", "has_example_fisher"]

_KEYS = ["source", "step", "factor", "module", "matrix", "layer", "k"]
_FEWEST = 5


def has_example_fisher(run: Run) -> bool:
    """Whether the Fisher of single examples was taken of a run, along it or afterwards."""
    return bool(FisherFiles(run.path).paths())


def example_fisher_points(run: Run) -> pd.DataFrame:
    """Both sides of every link, triplet by triplet, by factor, at every measurement.

    Parameters
    ----------
    run
        A run with ``fisher/``.

    Returns
    -------
    DataFrame
        link, source (``training``, or ``adapter`` of the saved one), step, factor, module, matrix,
        layer, k, x, y, expected_ratio; and examples, batch_size, fisher_half_1, fisher_half_2 as
        measured. Triplets that are not kept at the step are left out: their E is held at 0, and
        with it the gradients of their A and B. A link is left out where a side was not recorded.

    Raises
    ------
    LogError
        If nothing was measured, or the log has not a step of it.
    """
    measured = FisherFiles(run.path).read()
    frames = [
        _beside_log(run, group, int(group["step"].iloc[0]), str(group["source"].iloc[0]))
        for _, group in measured.groupby(["step", "source"], sort=True)
    ]
    whole = pd.concat(frames, ignore_index=True)
    there = whole.columns[whole.notna().any()]
    links = [link for link in FISHER_LINKS if {link.x, link.y} <= {*there}]
    sides = [_sides(run, whole, link) for link in links]
    return pd.concat(sides, ignore_index=True)


def _beside_log(run: Run, measured: pd.DataFrame, step: int, source: str) -> pd.DataFrame:
    """One measurement with what the log has of the same triplets."""
    if not len(run.steps):
        raise LogError(f"{run.path} has no recorded steps to hold its Fisher of examples against")
    at = step if source == "training" else int(run.steps[-1])  # the saved adapter is the last one
    logged = _long(run, at).merge(_recent(run, at), on=["module", "k", "factor"], how="left")
    known = measured.drop(columns=["sigma", "hess"])
    saved = measured[["sigma", "hess"]].to_numpy(dtype=float)
    whole = known.merge(logged, on=["module", "k", "factor"], how="left", validate="1:1")
    for column, values in zip(("sigma", "hess"), saved.T, strict=True):
        whole[column] = np.where(np.isfinite(values), values, whole[column])
    shares = 1 / whole["batch_size"] - 1 / whole["examples"]
    ivon = _ivon(run)
    whole["correction"] = whole["predicted_fisher_batch"] * (1 - ivon["beta2"]) * ivon["ess"] / 2
    whole["batch_square"] = whole["mean_gradient_squared"] + whole["gradient_variance"] * shares
    return whole[whole["kept"].eq(True)]


def _long(run: Run, step: int) -> pd.DataFrame:
    """Sigma, h and running squared gradient of a step, a row a triplet and factor."""
    names = [name for name in ("sigma", "hess", "fisher_batch") if f"{name}_A" in run.columns]
    factors = [factor for factor in ("E", "A", "B") if f"mu_{factor}" in run.columns]
    rows = run.triplets(
        ["module", "k", "kept", *(f"{n}_{f}" for n in names for f in factors)], [step]
    )
    keys = rows[["module", "k", "kept"]].astype({"module": str})
    frames = [
        keys.assign(factor=f, **{name: rows[f"{name}_{f}"].astype(float) for name in names})
        for f in factors
    ]
    columns = [*keys.columns, "factor", "sigma", "hess", "fisher_batch"]
    return pd.concat(frames, ignore_index=True).reindex(columns=columns)


def _recent(run: Run, step: int) -> pd.DataFrame:
    """Mean squared batch gradient of the recorded steps around one."""
    steps = run.steps[np.abs(run.steps - step) <= WINDOW]
    factors = [factor for factor in ("E", "A", "B") if f"grad_{factor}" in run.columns]
    frame = run.modules[["module", "k"]]
    frames = [pd.DataFrame(columns=["module", "k", "factor", "recent_square"])]
    if len(steps) >= _FEWEST and factors:
        columns = [f"grad_{factor}" for factor in factors]
        blocks = list(run.blocks(columns, [int(number) for number in steps]))
        for factor, column in zip(factors, columns, strict=True):
            stacked = np.concatenate([block.values[column] for block in blocks])
            squares = np.square(stacked.astype(float)).mean(0)
            frames.append(frame.assign(factor=factor, recent_square=squares))
    return pd.concat(frames[1:] or frames, ignore_index=True)


def _sides(run: Run, whole: pd.DataFrame, link: FisherLink) -> pd.DataFrame:
    x, y = (whole[name].to_numpy(dtype=float) for name in (link.x, link.y))
    with np.errstate(divide="ignore", invalid="ignore"):
        sides = {"x": x**link.x_power, "y": y**link.y_power}
    kept = [*_KEYS, "examples", "batch_size", "fisher_half_1", "fisher_half_2"]
    frame = whole[kept].assign(link=link.name, **sides, expected_ratio=_expected(run, whole, link))
    finite = np.isfinite(frame[["x", "y"]].to_numpy(dtype=float)).all(axis=1)
    columns = ["link", *_KEYS, "x", "y", "expected_ratio", *kept[len(_KEYS) :]]
    sides_only: pd.DataFrame = frame.loc[finite, columns]
    return sides_only


def _expected(run: Run, whole: pd.DataFrame, link: FisherLink) -> float | pd.Series:
    if link.ratio == "1/B":
        share: pd.Series = 1 / whole["batch_size"]
        return share
    if link.ratio in ("one", "unknown"):
        return 1.0 if link.ratio == "one" else np.nan
    return math.sqrt(_ivon(run)["ess"])


def _ivon(run: Run) -> dict[str, float]:
    """IVON's settings; NaN of another optimizer."""
    group = (run.manifest.optimizer.get("groups") or [{}])[0]
    return {name: float(group.get(name, np.nan)) for name in ("ess", "beta2")}
