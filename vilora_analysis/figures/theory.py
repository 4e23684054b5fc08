"""The chain from sensitivity to SNR, one panel a link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from vilora_analysis.figures.style import COLOURS, DOUBLE_COLUMN, StyledFigure, number, styled

__all__ = ["theory_scatter"]

# open squares with the dots on top: rows of A and columns of B often lie on one curve
_MARKERS: dict[str, dict[str, Any]] = {
    "E": {"marker": "^", "s": 4, "alpha": 0.6, "linewidths": 0, "facecolors": COLOURS["E"]},
    "A": {"marker": "o", "s": 1.5, "linewidths": 0, "facecolors": COLOURS["A"], "zorder": 2},
    "B": {
        "marker": "s",
        "s": 7,
        "linewidths": 0.35,
        "edgecolors": COLOURS["B"],
        "facecolors": "none",
    },
}
_LEAST_DECADES = 2.2
_LEGEND: dict[str, Any] = {
    "handletextpad": 0.3,
    "handlelength": 1.2,
    "borderpad": 0.2,
    "labelspacing": 0.2,
    "scatteryoffsets": [0.5],
}


def theory_scatter(
    points: pd.DataFrame,
    fits: pd.DataFrame,
    labels: Sequence[tuple[str, str, str]],
    *,
    width: float = DOUBLE_COLUMN,
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
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
        A panel a link on log axes, with the slope that the link claims as a dashed line. Every
        axis spans at least two decades, so that a side that hardly varies looks like it.
    """
    with styled():
        figure = StyledFigure(figsize=(width, 0.36 * width))
        panels = figure.subplots(1, len(labels), squeeze=False)[0]
        for panel, (axes, (link, x_label, y_label)) in enumerate(zip(panels, labels, strict=True)):
            chosen = points[points["link"] == link]
            shown = chosen[_has_logarithm(chosen)]
            fit = fits[fits["link"] == link].set_index("factor")
            _scatter(axes, shown, fit)
            if len(shown):
                _set_limits(axes, shown)
                _guide(axes, shown, float(fit["expected_slope"].iloc[0]))
            # above the panel, where it covers no point
            axes.legend(loc="lower right", bbox_to_anchor=(1.03, 0.99), **_LEGEND)
            axes.set(xlabel=x_label, ylabel=y_label)
            letter = f"({chr(ord('a') + panel)})"
            axes.annotate(letter, (0, 1), (-36, 9), "axes fraction", "offset points", fontsize=7.5)
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
            **{"zorder": 1, **_MARKERS[factor]},
            label=rf"{factor}: $\rho$ = {number(float(fit['spearman'][factor]))}, "
            f"slope {number(float(fit['slope'][factor]))}",
        )


def _set_limits(axes: Axes, shown: pd.DataFrame) -> None:
    for axis, side in ((axes.xaxis, shown["x"]), (axes.yaxis, shown["y"])):
        logarithms = np.log10(side)
        low, high = float(logarithms.min()), float(logarithms.max())
        margin = max(0.05 * (high - low), (_LEAST_DECADES - (high - low)) / 2)
        axis.axes.set(**{f"{axis.axis_name}lim": (10 ** (low - margin), 10 ** (high + margin))})
        # labels stand side by side on the one axis, and above each other on the other
        axis.set_major_locator(LogLocator(numticks=4 if axis is axes.xaxis else 5))
        axis.set_minor_locator(NullLocator())


def _guide(axes: Axes, shown: pd.DataFrame, slope: float) -> None:
    """Draw the slope that the link claims through the middle of the points."""
    log_x, log_y = np.log10(shown["x"]), np.log10(shown["y"])
    ends = np.log10(axes.get_xlim())
    line = log_y.median() + slope * (ends - log_x.median())
    axes.plot(
        10**ends,
        10**line,
        linestyle=(0, (4, 2)),
        color="0.35",
        linewidth=0.8,
        zorder=0,
        scalex=False,
        scaley=False,
        label=f"claimed: slope {slope:g}",
    )
