"""The chain from sensitivity to SNR, one panel a link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.figures.palette import FACTOR_POINTS, GUIDE
from vilora_analysis.figures.panels import legend_above, log_limits, panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, inches, number

__all__ = ["theory_scatter"]

_LEGEND: dict[str, Any] = {
    "handletextpad": 0.3,
    "handlelength": 1.2,
    "scatteryoffsets": [0.5],
    "fontsize": 6,  # as wide as the panel, and the letter stands beside it
    "bbox_to_anchor": (1.06, 0.98),
}


def theory_scatter(
    points: pd.DataFrame,
    fits: pd.DataFrame,
    labels: Sequence[tuple[str, str, str]],
    *,
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
) -> Figure:
    """Draw both sides of each link against each other, a point a triplet and factor.

    Parameters
    ----------
    points
        As :func:`vilora_analysis.analysis.theory_points` gives it.
    fits
        As :func:`vilora_analysis.analysis.theory` gives it: rank correlations and slopes in the
        legends.
    labels
        For each link its name and the labels of its axes, in the order of the panels.
    caption
        A line to stand below.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        A panel a link on log axes, with the slope that the link claims as a dashed line. Every
        axis spans at least two decades, so that a side that hardly varies looks like it.
    """
    page = inches(width)
    with panel_row(page, 0.36 * page, len(labels), caption=caption) as (figure, panels):
        for axes, (link, x_label, y_label) in zip(panels, labels, strict=True):
            chosen = points[points["link"] == link]
            shown = chosen[_has_logarithm(chosen)]
            fit = fits[fits["link"] == link].set_index("factor")
            _scatter(axes, shown, fit)
            if len(shown):
                _set_limits(axes, shown)
                _guide(axes, shown, float(fit["expected_slope"].iloc[0]))
            legend_above(axes, **_LEGEND)
            axes.set(xlabel=x_label, ylabel=y_label)
    return figure


def _has_logarithm(points: pd.DataFrame) -> np.ndarray:
    sides = points[["x", "y"]].to_numpy(dtype=float)
    found: np.ndarray = ((sides > 0) & np.isfinite(sides)).all(axis=1)
    return found


def _scatter(axes: Axes, shown: pd.DataFrame, fit: pd.DataFrame) -> None:
    axes.set(xscale="log", yscale="log")
    for factor in fit.index:
        group = shown[shown["factor"] == factor]
        axes.scatter(
            group["x"],
            group["y"],
            **{"zorder": 1, **FACTOR_POINTS[factor]},
            label=rf"{factor}: $\rho$ = {number(float(fit['spearman'][factor]))}, "
            f"slope {number(float(fit['slope'][factor]))}",
        )


def _set_limits(axes: Axes, shown: pd.DataFrame) -> None:
    # labels stand side by side on the one axis, and above each other on the other
    log_limits(axes.xaxis, shown["x"].to_numpy(), ticks=4)
    log_limits(axes.yaxis, shown["y"].to_numpy(), ticks=5)


def _guide(axes: Axes, shown: pd.DataFrame, slope: float) -> None:
    """Draw the slope that the link claims through the middle of the points."""
    log_x, log_y = np.log10(shown["x"]), np.log10(shown["y"])
    ends = np.log10(axes.get_xlim())
    line = log_y.median() + slope * (ends - log_x.median())
    axes.plot(
        10**ends,
        10**line,
        linestyle=(0, (4, 2)),
        zorder=0,
        scalex=False,
        scaley=False,
        label=f"claimed: slope {slope:g}",
        **GUIDE,
    )
