"""The Fisher of single examples beside h, sigma and squared batch gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.style import (
    COLOURS,
    DOUBLE_COLUMN,
    StyledFigure,
    add_caption,
    number,
    styled,
)

__all__ = ["example_fisher_scatter"]

# open squares with the dots on top: rows of A and columns of B often lie on one curve
_MARKERS: dict[str, dict[str, Any]] = {
    "E": {"marker": "^", "s": 5, "alpha": 0.7, "linewidths": 0, "facecolors": COLOURS["E"]},
    "A": {"marker": "o", "s": 2, "linewidths": 0, "facecolors": COLOURS["A"], "zorder": 2},
    "B": {
        "marker": "s",
        "s": 7,
        "linewidths": 0.35,
        "edgecolors": COLOURS["B"],
        "facecolors": "none",
    },
}
_LINES: dict[str, tuple[Any, str]] = {
    "hess~fisher_example": ("-", r"$h\,/\,\hat F_1$"),
    "hess~correction": ((0, (1, 1)), "$h\\,/\\,$correction"),
    "fisher_batch~fisher_example": ((0, (4, 1.5)), r"$\hat F_B\,/\,(\hat F_1/B)$"),
}
"""Links whose ratios are drawn over the training: style and name."""
_GUIDE: dict[str, Any] = {"color": "0.35", "linewidth": 0.8, "zorder": 0}
_LEAST_DECADES = 1.6
_COLUMNS = 4


def example_fisher_scatter(
    points: pd.DataFrame,
    fits: pd.DataFrame,
    labels: Sequence[tuple[str, str, str]],
    *,
    caption: str = "",
    width: float = DOUBLE_COLUMN,
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
        Of the figure, in inches.

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
    with styled():
        rows = -(-(len(shown) + over_time) // _COLUMNS)
        figure = StyledFigure(figsize=(width, 0.36 * width * rows))
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes, (link, x_label, y_label) in zip(panels, shown, strict=False):
            chosen = points[points["link"] == link]
            fit = fits[(fits["link"] == link) & (fits["step"] == step)]
            _link(axes, chosen, fit[fit["source"] == source].set_index("factor"))
            axes.set(xlabel=x_label, ylabel=y_label)
        if over_time:
            _over_time(panels[len(shown)], along)
        used = len(shown) + over_time
        for letter, axes in zip("abcdefgh", panels[:used], strict=False):
            axes.annotate(
                f"({letter})", (0, 1), (-36, 9), "axes fraction", "offset points", fontsize=7.5
            )
        for axes in panels[used:]:
            axes.set_visible(False)
        add_caption(figure, caption)
    return figure


def _link(axes: Axes, chosen: pd.DataFrame, fit: pd.DataFrame) -> None:
    sides = chosen[["x", "y"]].to_numpy(dtype=float)
    shown = chosen[((sides > 0) & np.isfinite(sides)).all(axis=1)]
    axes.set(xscale="log", yscale="log")
    for factor in [name for name in _MARKERS if name in fit.index]:
        group = shown[shown["factor"] == factor]
        rho, ratio = float(fit["spearman"][factor]), float(fit["ratio"][factor])
        text = rf"{factor}: $\rho$ = {number(rho)}, ratio {ratio:.2g}"
        axes.scatter(group["x"], group["y"], label=text, **{"zorder": 1, **_MARKERS[factor]})
    if len(shown):
        _set_limits(axes, shown)
        _line(axes, float(chosen["expected_ratio"].iloc[0]))
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.03, 0.99),
        handletextpad=0.3,
        handlelength=1.2,
        borderpad=0.2,
        labelspacing=0.2,
        scatteryoffsets=[0.5],
    )


def _set_limits(axes: Axes, shown: pd.DataFrame) -> None:
    for axis, side in ((axes.xaxis, shown["x"]), (axes.yaxis, shown["y"])):
        logarithms = np.log10(side)
        low, high = float(logarithms.min()), float(logarithms.max())
        margin = max(0.05 * (high - low), (_LEAST_DECADES - (high - low)) / 2)
        axes.set(**{f"{axis.axis_name}lim": (10 ** (low - margin), 10 ** (high + margin))})
        axis.set_major_locator(LogLocator(numticks=5))
        axis.set_minor_locator(NullLocator())


def _line(axes: Axes, ratio: float) -> None:
    """Where the link would hold exactly; the axes reach as far as it takes to see some of it."""
    if not np.isfinite(ratio):
        return
    x, y = np.array(axes.get_xlim()), np.array(axes.get_ylim())
    line = ratio * x
    y = np.array([min(y[0], line[1] / 10**0.5), max(y[1], line[0] * 10**0.5)])
    axes.plot(x, line, linestyle=(0, (4, 2)), label=f"claimed: ratio {ratio:.2g}", **_GUIDE)
    axes.set(xlim=x, ylim=y)


def _over_time(axes: Axes, along: pd.DataFrame) -> None:
    for link, (style, _) in _LINES.items():
        for factor, rows in along[along["link"] == link].groupby("factor", sort=False):
            steps, expected = rows["step"], rows["expected_ratio"]
            colour = COLOURS[str(factor)]
            low, high = rows["ratio_low"] / expected, rows["ratio_high"] / expected
            axes.fill_between(steps, low, high, color=colour, alpha=0.12, linewidth=0)
            ratio = rows["ratio"] / expected
            axes.plot(
                steps, ratio, linestyle=style, color=colour, marker="o", markersize=2, linewidth=1
            )
    axes.axhline(1, linestyle=(0, (1, 1.5)), **_GUIDE)
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
        Line2D([], [], color=COLOURS[factor], label=factor)
        for factor in COLOURS
        if (along["factor"] == factor).any()
    ]
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.03, 0.99),
        ncols=2,
        handlelength=1.6,
        columnspacing=0.8,
        labelspacing=0.2,
    )
