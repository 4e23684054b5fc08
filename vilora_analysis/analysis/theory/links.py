"""Does the paper's link between sensitivity and SNR (section V.D) hold on this run?

The argument is a chain. IVON's Hessian h stands for the expected squared gradient, so 1/σ is akin
to the root mean square of the gradient, so |μ|/σ is akin to the sensitivity |θ g|. Each link is a
claim that two recorded quantities are proportional: a slope of 1 on log axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.steps import decision_step, posterior_factors
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["LINKS", "Link", "has_theory", "theory", "theory_points"]


@dataclass(frozen=True)
class Link:
    """One claim of proportionality.

    Attributes
    ----------
    name
        Short name.
    x, y
        Columns without the factor; powers are applied to them.
    x_power, y_power
        Powers that make the claim one of proportionality.
    x_label, y_label
        Axis labels, in math type; symbols that no other panel explains are explained below them.
    expected_slope
        Slope on log axes if the link held exactly.
    """

    name: str
    x: str
    y: str
    x_power: float
    y_power: float
    x_label: str
    y_label: str
    expected_slope: float


LINKS: tuple[Link, ...] = (
    Link(
        "hess~fisher",
        "fisher_batch_{}",
        "hess_{}",
        1,
        1,
        "$\\hat F_B$\nrunning mean of $g^2$",
        "$h$",
        1,
    ),
    Link(
        "precision~gradient",
        "fisher_batch_{}",
        "sigma_{}",
        0.5,
        -1,
        "RMS $g$\n$\\hat F_B^{1/2}$",
        r"$1/\sigma$",
        1,
    ),
    Link(
        "snr~sensitivity",
        "score.sensitivity_smoothed.{}",
        "score.snr.{}",
        1,
        1,
        "$\\bar I$\nsmoothed $|\\theta g|$",
        r"$|\mu|/\sigma$",
        1,
    ),
    # a product of two terms of the size of |θ g|, so the SNR goes with its square root
    Link(
        "snr~importance",
        "score.sensitivity.{}",
        "score.snr.{}",
        1,
        1,
        "$\\bar I\\,\\bar U$\n$\\bar U$: smoothed $||\\theta g| - \\bar I|$",
        r"$|\mu|/\sigma$",
        0.5,
    ),
)
"""The chain, link by link; ``fisher_batch`` is the running mean of squared mini-batch gradients."""


def has_theory(run: Run) -> bool:
    """Whether a run recorded both sides of every link."""
    factors, needed = _sides(run)
    return bool(factors) and set(needed) <= set(run.columns)


def _sides(run: Run) -> tuple[tuple[str, ...], list[str]]:
    """Factors with a posterior, and the columns that the links need of them."""
    factors = posterior_factors(run)
    return factors, [side.format(f) for link in LINKS for side in (link.x, link.y) for f in factors]


def theory_points(run: Run, *, step: int | None = None) -> pd.DataFrame:
    """Both sides of every link, triplet by triplet, by factor.

    Parameters
    ----------
    run
        A run of an optimizer with a posterior.
    step
        Recorded step; the last decision by default.

    Returns
    -------
    DataFrame
        link, factor, step, module, matrix, layer, k, kept, x, y.

    Raises
    ------
    LogError
        If the run recorded no posterior, not the scores of a link, or not that step.
    """
    chosen = decision_step(run) if step is None else step
    factors, needed = _sides(run)
    missing = sorted(set(needed) - set(run.columns))
    if missing or not factors:
        raise LogError(
            f"{run.path} records no {', '.join(missing) or 'sigma'}; the theory needs a run "
            "trained with IVON and its scores snr, sensitivity_smoothed and sensitivity"
        )
    keys = ["step", "module", "matrix", "layer", "k", "kept"]
    rows = run.triplets([*keys, *dict.fromkeys(needed)], chosen)
    frames = []
    for link in LINKS:
        for factor in factors:
            x = rows[link.x.format(factor)].to_numpy(dtype=float)
            y = rows[link.y.format(factor)].to_numpy(dtype=float)
            with np.errstate(divide="ignore", invalid="ignore"):
                sides = {"x": x**link.x_power, "y": y**link.y_power}
            frames.append(rows[keys].assign(link=link.name, factor=factor, **sides))
    points = pd.concat(frames, ignore_index=True)
    return points[["link", "factor", *keys, "x", "y"]]


def theory(run: Run, *, step: int | None = None) -> pd.DataFrame:
    """How well each link holds, by factor.

    Parameters
    ----------
    run
        A run of an optimizer with a posterior.
    step
        Recorded step; the last decision by default.

    Returns
    -------
    DataFrame
        link, factor, step, n, excluded (not positive, so without a logarithm), spearman (over all),
        slope and intercept of the least-squares line through the logarithms, r2, expected_slope,
        spread_x and spread_y (coefficients of variation: a side that does not vary explains
        nothing). Without variation there is no rank correlation and no r2, and, on the x side, no
        line: NaN.

    Raises
    ------
    LogError
        As :func:`theory_points`.
    """
    points = theory_points(run, step=step)
    expected = {link.name: link.expected_slope for link in LINKS}
    rows = [
        {"link": link, "factor": factor, "step": int(group["step"].iloc[0]), **_fit(group)}
        | {"expected_slope": expected[str(link)]}
        for (link, factor), group in points.groupby(["link", "factor"], sort=False)
    ]
    return pd.DataFrame(rows)


def _fit(group: pd.DataFrame) -> dict[str, float]:
    x, y = group["x"].to_numpy(dtype=float), group["y"].to_numpy(dtype=float)
    positive = (x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y)
    varied = not _constant(x) and not _constant(y)
    return {
        "n": len(x),
        "excluded": int((~positive).sum()),
        "spearman": float(stats.spearmanr(x, y).statistic) if varied else np.nan,
        **_line(np.log10(x[positive]), np.log10(y[positive])),
        "spread_x": _variation(x),
        "spread_y": _variation(y),
    }


def _line(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    if _constant(x):
        return {"slope": np.nan, "intercept": np.nan, "r2": np.nan}
    if _constant(y):
        return {"slope": 0.0, "intercept": float(y[0]), "r2": np.nan}
    fitted = stats.linregress(x, y)
    r2 = float(fitted.rvalue) ** 2
    return {"slope": float(fitted.slope), "intercept": float(fitted.intercept), "r2": r2}


def _variation(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    if len(finite) and _constant(finite):
        return 0.0  # not what rounding leaves of it
    mean = float(np.mean(finite)) if len(finite) else 0.0
    return float(np.std(finite)) / abs(mean) if mean else np.nan


def _constant(values: np.ndarray) -> bool:
    return len(np.unique(values)) < 2
