"""What sigma and the Hessian are, triplet by triplet, and how they came to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import COLOURS, FACTOR_LINES, GUIDE
from vilora_analysis.figures.panels import legend_above, log_limits, panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, inches

__all__ = ["posterior_health"]

_LEFT = r"left of it, $\beta_2^t$"
_RESOLVED = 1e-7  # what is below is the rounding of single precision
_DASHED, _DOTTED = (0, (4, 2)), (0, (1, 1.5))


def posterior_health(
    points: pd.DataFrame,
    over_time: pd.DataFrame,
    *,
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
) -> Figure:
    """Draw the distributions of sigma and h, and what became of them step by step.

    Parameters
    ----------
    points
        As :func:`vilora_analysis.analysis.health_points` gives it, for one step.
    over_time
        As :func:`vilora_analysis.analysis.health_over_time` gives it.
    caption
        A line to stand below, for example the verdict.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        Sigma and h of every triplet, a row a factor, with the median and h's initial value
        marked, on log axes of two decades or more; then the coefficient of variation of sigma,
        and the share that the initial value has in h, by step, with the step of the points.

    Raises
    ------
    ConfigError
        If the points are not of one step.
    """
    steps = points["step"].unique()
    if len(steps) != 1:
        raise ConfigError(
            f"expected points of one step, got {', '.join(map(str, steps)) or 'none'}; choose the "
            "rows of one"
        )
    page = inches(width)
    with panel_row(page, 0.3 * page, 4, caption=caption) as (figure, panels):
        sigma, hess, variation, share = panels
        _strips(sigma, points, "sigma", r"$\sigma$")
        _strips(hess, points, "hess", "$h$")
        _initial_value(hess, points)
        _over_time(variation, over_time, "sigma_cv", r"sd / mean of $\sigma$")
        _over_time(share, over_time, "initial_share", "share of initial value in $h$")
        _shape_variation(variation, over_time)
        _shape_share(share, over_time)
        for axes in (variation, share):
            axes.axvline(steps[0], linestyle=_DOTTED, zorder=0, label=f"step {steps[0]}", **GUIDE)
        legend_above(hess)
        legend_above(variation, ncols=2, handlelength=2)
        legend_above(share, [line for line in share.lines if line.get_label() == _LEFT])
    return figure


def _factors(frame: pd.DataFrame) -> list[str]:
    return [factor for factor in COLOURS if (frame["factor"] == factor).any()]


def _strips(axes: Axes, points: pd.DataFrame, column: str, label: str) -> None:
    """A row a factor, so that none hides another, each point beside its neighbours."""
    factors = _factors(points)
    for row, factor in enumerate(factors):
        values = points.loc[points["factor"] == factor, column].to_numpy(dtype=float)
        values = values[values > 0]
        # evenly spread whatever the number of points, and the same each time
        beside = (np.arange(len(values)) * 0.6180339887 % 1 - 0.5) * 0.6
        axes.scatter(values, row + beside, s=1.5, linewidths=0, color=COLOURS[factor], zorder=2)
        if len(values):
            # beside the points, which it would hide where they all coincide
            ends = [row - 0.45, row - 0.33, np.nan, row + 0.33, row + 0.45]
            axes.plot([float(np.median(values))] * 5, ends, color="black", linewidth=1.2, zorder=3)
    axes.set(xscale="log", xlabel=label, ylim=(len(factors) - 0.4, -0.6))
    axes.set_yticks(range(len(factors)), factors)
    axes.tick_params(axis="y", length=0)
    log_limits(axes.xaxis, points[column].to_numpy(dtype=float), ticks=4)


def _initial_value(axes: Axes, points: pd.DataFrame) -> None:
    start = float(points["hess_init"].iloc[0])
    if np.isnan(start):
        return
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, start / 1.6), max(high, start * 1.6))
    axes.axvline(start, linestyle=_DASHED, zorder=1, label="initial value", **GUIDE)


def _over_time(axes: Axes, over_time: pd.DataFrame, column: str, label: str) -> None:
    for factor in _factors(over_time):
        rows = over_time[over_time["factor"] == factor]
        axes.plot(rows["step"], rows[column], label=factor, **FACTOR_LINES[factor])
    axes.set(xlabel="step", ylabel=label)
    axes.margins(x=0.02)


def _shape_variation(axes: Axes, over_time: pd.DataFrame) -> None:
    values = over_time["sigma_cv"].to_numpy(dtype=float)
    if (values > 0).any():
        axes.set_yscale("log")
        least = max(_RESOLVED, 0.7 * float(values[values > 0].min()))
        axes.set_ylim(min(least, 0.01), max(2.0, 1.5 * float(np.nanmax(values))))
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_locator(NullLocator())


def _shape_share(axes: Axes, over_time: pd.DataFrame) -> None:
    rows = over_time.drop_duplicates("step")
    axes.plot(
        rows["step"],
        rows["initial_left"],
        linestyle=_DASHED,
        zorder=4,
        label=_LEFT,
        **GUIDE,
    )
    # shares above 1, of an h that fell below its initial value, would hide the rest
    axes.set_ylim(-0.03, 1.12)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1))
