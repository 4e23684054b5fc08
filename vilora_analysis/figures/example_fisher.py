"""The Fisher of single examples beside h, sigma and squared batch gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import COLOURS, FACTOR_POINTS, GUIDE
from vilora_analysis.figures.panels import legend_above, log_limits, panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, inches, number

__all__ = ["example_fisher_scatter"]

_LINES: dict[str, tuple[Any, str]] = {
    "hess~fisher_example": ("-", r"$h\,/\,\hat F_1$"),
    "hess~correction": ((0, (1, 1)), "$h\\,/\\,$correction"),
    "fisher_batch~fisher_example": ((0, (4, 1.5)), r"$\hat F_B\,/\,(\hat F_1/B)$"),
}
"""Links whose ratios are drawn over the training: style and name."""
_LEAST_DECADES = 1.6
_COLUMNS = 4


def example_fisher_scatter(
    points: pd.DataFrame,
    fits: pd.DataFrame,
    labels: Sequence[tuple[str, str, str]],
    *,
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
) -> Figure:
    """Draw both sides of each link, a point a triplet and factor, and ratios over the training.

    Parameters
    ----------
    points
        As :func:`vilora_analysis.analysis.example_fisher_points` gives it, of one measurement.
    fits
        As :func:`vilora_analysis.analysis.example_fisher` gives it, of all measurements.
    labels
        For each link to draw its name and the labels of its axes, in the order of the panels;
        links without points are left out.
    caption
        A line to stand below, for example the verdict.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        A panel a link on log axes, with the line on which it would hold exactly (no line where
        that is unknown), rank correlation and median quotient in the legend. Where several steps
        were measured along the training, a last panel has the median quotients by step, over what
        they would be, with quartiles.

    Raises
    ------
    ConfigError
        If the points are not of one measurement.
    """
    measurements = points[["source", "step"]].drop_duplicates()
    if len(measurements) != 1:
        raise ConfigError(
            f"expected points of one measurement, got {len(measurements)}; choose the rows of one "
            "source and step"
        )
    (source, step), *_ = measurements.itertuples(index=False)
    shown = [entry for entry in labels if (points["link"] == entry[0]).any()]
    along = fits[(fits["source"] == "training") & fits["link"].isin(_LINES)]
    over_time = len(set(along["step"])) > 1
    page, rows = inches(width), -(-(len(shown) + over_time) // _COLUMNS)
    frame = panel_row(page, 0.36 * page * rows, _COLUMNS, down=rows, caption=caption)
    with frame as (figure, panels):
        for axes, (link, x_label, y_label) in zip(panels, shown, strict=False):
            chosen = points[points["link"] == link]
            fit = fits[(fits["link"] == link) & (fits["step"] == step)]
            _link(axes, chosen, fit[fit["source"] == source].set_index("factor"))
            axes.set(xlabel=x_label, ylabel=y_label)
        if over_time:
            _over_time(panels[len(shown)], along)
        for axes in panels[len(shown) + over_time :]:
            axes.set_visible(False)
    return figure


def _link(axes: Axes, chosen: pd.DataFrame, fit: pd.DataFrame) -> None:
    sides = chosen[["x", "y"]].to_numpy(dtype=float)
    shown = chosen[((sides > 0) & np.isfinite(sides)).all(axis=1)]
    axes.set(xscale="log", yscale="log")
    for factor in [name for name in FACTOR_POINTS if name in fit.index]:
        group = shown[shown["factor"] == factor]
        rho, ratio = float(fit["spearman"][factor]), float(fit["ratio"][factor])
        text = rf"{factor}: $\rho$ = {number(rho)}, ratio {ratio:.2g}"
        axes.scatter(group["x"], group["y"], label=text, **{"zorder": 1, **FACTOR_POINTS[factor]})
    if len(shown):
        log_limits(axes.xaxis, shown["x"].to_numpy(), ticks=5, least=_LEAST_DECADES)
        log_limits(axes.yaxis, shown["y"].to_numpy(), ticks=5, least=_LEAST_DECADES)
        _line(axes, float(chosen["expected_ratio"].iloc[0]))
    spacing: dict[str, Any] = {"handletextpad": 0.3, "handlelength": 1.2, "scatteryoffsets": [0.5]}
    legend_above(axes, fontsize=6, bbox_to_anchor=(1.06, 0.98), **spacing)


def _line(axes: Axes, ratio: float) -> None:
    """Where the link would hold exactly; the axes reach as far as it takes to see some of it."""
    if not np.isfinite(ratio):
        return
    x, y = np.array(axes.get_xlim()), np.array(axes.get_ylim())
    line = ratio * x
    y = np.array([min(y[0], line[1] / 10**0.5), max(y[1], line[0] * 10**0.5)])
    axes.plot(
        x, line, linestyle=(0, (4, 2)), label=f"claimed: ratio {ratio:.2g}", zorder=0, **GUIDE
    )
    axes.set(xlim=x, ylim=y)


def _over_time(axes: Axes, along: pd.DataFrame) -> None:
    for link, (style, _) in _LINES.items():
        for factor, rows in along[along["link"] == link].groupby("factor", sort=False):
            steps, expected = rows["step"], rows["expected_ratio"]
            colour, marker = COLOURS[str(factor)], FACTOR_POINTS[str(factor)]["marker"]
            low, high = rows["ratio_low"] / expected, rows["ratio_high"] / expected
            axes.fill_between(steps, low, high, color=colour, alpha=0.12, linewidth=0)
            ratio = rows["ratio"] / expected
            axes.plot(steps, ratio, linestyle=style, color=colour, marker=marker, markersize=2.5)
    axes.axhline(1, linestyle=(0, (1, 1.5)), zorder=0, **GUIDE)
    axes.set(yscale="log", xlabel="step", ylabel="median ratio")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_minor_locator(NullLocator())
    present = set(along["link"])
    handles = [
        Line2D([], [], color="0.3", linestyle=style, label=name)
        for link, (style, name) in _LINES.items()
        if link in present
    ]
    handles += [
        Line2D(
            [],
            [],
            color=COLOURS[factor],
            marker=FACTOR_POINTS[factor]["marker"],
            markersize=2.5,
            label=factor,
        )
        for factor in COLOURS
        if (along["factor"] == factor).any()
    ]
    legend_above(axes, handles, ncols=2, handlelength=1.6)
