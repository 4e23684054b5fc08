"""Penalty against budget: the rank that a penalty ends at, and the result at each rank."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import group_look
from vilora_analysis.figures.panels import legend_above, panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, SMALLEST, Width, inches

__all__ = ["penalty_rank"]

_L1, _BUDGET = group_look(0), group_look(1)
_NEAR = 0.1  # of the axis, nearer than which two numbers would touch
_NOTE: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": SMALLEST, "color": "0.25"}


def penalty_rank(frame: pd.DataFrame, *, caption: str = "", width: Width = DOUBLE_COLUMN) -> Figure:
    """Draw the final rank over the penalty, and the result over the final rank.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.rank_by_penalty` gives it.
    caption
        A line to stand below.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        Two panels: (a) a point a run, hollow for the lowest rank before triplets came back, and
        budgets as horizontal lines that no penalty is told of; (b)
        runs with a penalty and runs with a budget by the rank they ended at.

    Raises
    ------
    ConfigError
        If the frame has no run with a penalty.
    """
    l1 = frame[frame["allocation"] == "l1"].sort_values("penalty")
    if l1.empty:
        raise ConfigError("no run with a penalty to draw; train some with --allocation l1")
    budget = frame[frame["allocation"] == "budget"].sort_values("rank")
    page = inches(width)
    with panel_row(page, 0.4 * page, 2, caption=caption) as (figure, panels):
        _ranks(panels[0], l1, budget)
        _results(panels[1], l1, budget)
    return figure


def _ranks(axes: Axes, l1: pd.DataFrame, budget: pd.DataFrame) -> None:
    most = int(l1["n_triplets"].max())
    axes.axhline(most, color="0.7", linewidth=0.6)
    axes.text(1.01, most, "all triplets", transform=axes.get_yaxis_transform(), **_NOTE)
    for value in sorted(set(budget["budget"].dropna())):
        axes.axhline(value, color=_BUDGET["color"], linewidth=1, linestyle="--")
        axes.text(1.01, value, f"budget {value}", transform=axes.get_yaxis_transform(), **_NOTE)
    look: dict[str, Any] = {**_L1, "markersize": 4}
    axes.plot(l1["penalty"], l1["rank"], label="end", **look)
    hollow: dict[str, Any] = {"markerfacecolor": "white", "linewidth": 0.7, "linestyle": ":"}
    axes.plot(l1["penalty"], l1["lowest"], label="lowest on the way", **look, **hollow)
    legend_above(axes, ncols=2)
    axes.set_xscale("log")
    axes.set_ylim(-0.04 * most, 1.12 * most)
    axes.set(xlabel="penalty (loss per unit of E)", ylabel="total rank")


def _results(axes: Axes, l1: pd.DataFrame, budget: pd.DataFrame) -> None:
    shown = l1.dropna(subset=["value"])
    most = float(l1["n_triplets"].max())
    look: dict[str, Any] = {"markersize": 4, "linestyle": "none"}
    axes.plot(shown["rank"], shown["value"], label="L1 penalty", **_L1, **look)
    for rank, value, penalty in shown[["rank", "value", "penalty"]].itertuples(index=False):
        near = shown.loc[(shown["rank"] - rank).abs() < _NEAR * most, "value"]
        up = value == near.max()  # the lower of two neighbours is named below it
        axes.annotate(
            f"{penalty:g}",
            (rank, value),
            (0, 4 if up else -4),
            textcoords="offset points",
            fontsize=SMALLEST,
            ha="center",
            va="bottom" if up else "top",
        )
    axes.plot(budget["rank"], budget["value"], label="budget", **_BUDGET, **look)
    axes.set_xlim(-0.06 * most, 1.06 * most)
    axes.margins(y=0.15)
    axes.set(xlabel="total rank at the end", ylabel=str(l1["metric"].iloc[0]))
    legend_above(axes, ncols=2)
