"""The chain from sensitivity to SNR, one panel a link."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.figures.style import COLOURS, DOUBLE_COLUMN, styled

__all__ = ["theory_scatter"]

_MARKERS = {"E": "^", "A": "o", "B": "s"}


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
        As :func:`vilora_analysis.analysis.theory` gives it: rank correlations in the legends.
    labels
        For each link its name and the labels of its axes, in the order of the panels.
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
        A panel a link on log axes, with the slope that the link claims as a dashed line.
    """
    with styled():
        figure = Figure(figsize=(width, 0.3 * width))
        for panel, (axes, (link, x_label, y_label)) in enumerate(
            zip(figure.subplots(1, len(labels)), labels, strict=True)
        ):
            chosen = points[points["link"] == link]
            fit = fits[fits["link"] == link].set_index("factor")
            _scatter(axes, chosen, fit)
            slope = float(fit["expected_slope"].iloc[0])
            _guide(axes, chosen, slope)
            axes.set(xlabel=x_label, ylabel=y_label)
            axes.set_title(f"({chr(ord('a') + panel)})", loc="left")
    return figure


def _scatter(axes: Axes, chosen: pd.DataFrame, fit: pd.DataFrame) -> None:
    axes.set(xscale="log", yscale="log")
    for factor, group in chosen.groupby("factor", sort=False):
        name = str(factor)
        rho = float(fit.loc[name, "spearman"])  # type: ignore[arg-type]
        shown = group[(group["x"] > 0) & (group["y"] > 0)]
        axes.scatter(
            shown["x"],
            shown["y"],
            s=5,
            marker=_MARKERS[name],
            color=COLOURS[name],
            alpha=0.6,
            linewidths=0,
            label=rf"{name}  $\rho$ = {rho:.2f}",
        )
    axes.legend(loc="best", handletextpad=0.2, borderpad=0.2, labelspacing=0.2)


def _guide(axes: Axes, chosen: pd.DataFrame, slope: float) -> None:
    """Draw the slope that the link claims through the middle of the points."""
    shown = chosen[(chosen["x"] > 0) & (chosen["y"] > 0)]
    if shown.empty:
        return
    log_x, log_y = np.log10(shown["x"]), np.log10(shown["y"])
    ends = np.array([log_x.min(), log_x.max()])
    line = log_y.median() + slope * (ends - log_x.median())
    limits = axes.get_ylim()
    axes.plot(10**ends, 10**line, linestyle=(0, (4, 2)), color="0.35", linewidth=0.8, zorder=0)
    # where one side hardly varies, the line would squeeze the points out of sight
    axes.set_ylim(limits)
