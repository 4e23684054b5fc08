"""Penalty against budget: the rank that a penalty ends at, and the result at each rank."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.style import DOUBLE_COLUMN, StyledFigure, add_caption, styled

__all__ = ["penalty_rank"]

_L1, _BUDGET = "#0072B2", "#D55E00"
_NOTE: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": 5.5, "color": "0.25"}


def penalty_rank(frame: pd.DataFrame, *, caption: str = "", width: float = DOUBLE_COLUMN) -> Figure:
    """Draw the final rank over the penalty, and the result over the final rank.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.rank_by_penalty` gives it.
    caption
        A line to stand below.
    width
        Of the figure, in inches.

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
    with styled():
        figure = StyledFigure(figsize=(width, 0.4 * width))
        left, right = figure.subplots(1, 2)
        _ranks(left, l1, budget)
        _results(right, l1, budget)
        add_caption(figure, caption)
    return figure


def _ranks(axes: Axes, l1: pd.DataFrame, budget: pd.DataFrame) -> None:
    most = int(l1["n_triplets"].max())
    axes.axhline(most, color="0.7", linewidth=0.6)
    axes.text(1.01, most, "all triplets", transform=axes.get_yaxis_transform(), **_NOTE)
    for value in sorted(set(budget["budget"].dropna())):
        axes.axhline(value, color=_BUDGET, linewidth=0.8, linestyle="--")
        axes.text(1.01, value, f"budget {value}", transform=axes.get_yaxis_transform(), **_NOTE)
    axes.plot(l1["penalty"], l1["rank"], "o-", color=_L1, markersize=4, linewidth=0.9, label="end")
    hollow: dict[str, Any] = {
        "color": _L1,
        "markerfacecolor": "white",
        "markersize": 4,
        "linewidth": 0.6,
    }
    axes.plot(l1["penalty"], l1["lowest"], "o:", **hollow, label="lowest on the way")
    axes.legend(frameon=False, fontsize=6, loc="best")
    axes.set_xscale("log")
    axes.set_ylim(-0.04 * most, 1.12 * most)
    axes.set(xlabel="penalty (loss per unit of E)", ylabel="total rank")
    axes.set_title("(a)", loc="left")


def _results(axes: Axes, l1: pd.DataFrame, budget: pd.DataFrame) -> None:
    shown = l1.dropna(subset=["value"])
    axes.plot(shown["rank"], shown["value"], "o", color=_L1, markersize=4, label="L1 penalty")
    for rank, value, penalty in shown[["rank", "value", "penalty"]].itertuples(index=False):
        axes.annotate(
            f"{penalty:g}", (rank, value), (0, 4), textcoords="offset points", fontsize=5.5,
            ha="center", color=_L1,
        )  # fmt: skip
    axes.plot(budget["rank"], budget["value"], "s", color=_BUDGET, markersize=4, label="budget")
    axes.set_xlim(-0.06 * l1["n_triplets"].max(), 1.06 * l1["n_triplets"].max())
    axes.margins(y=0.15)
    axes.set(xlabel="total rank at the end", ylabel=str(l1["metric"].iloc[0]))
    axes.legend(frameon=False, fontsize=6, loc="best")
    axes.set_title("(b)", loc="left")
