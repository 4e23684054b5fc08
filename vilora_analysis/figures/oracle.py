"""What the oracle says of the scores: who ranks like it, and what pruning by each costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.style import DOUBLE_COLUMN, StyledFigure, add_caption, styled

__all__ = ["oracle_scores"]

_MARKERS = "osD^vP*Xh<>p"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Told apart by the colour-blind (Okabe and Ito 2008); the markers tell them apart in grey."""


def oracle_scores(
    agreement: pd.DataFrame,
    regret: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    ceiling: float | None = None,
    caption: str = "",
    width: float = DOUBLE_COLUMN,
) -> Figure:
    """Draw rank agreement with the oracle, and the loss when each score's lowest are removed.

    Parameters
    ----------
    agreement
        As :func:`vilora_analysis.analysis.oracle_agreement` gives it.
    regret
        As :func:`vilora_analysis.analysis.oracle_regret` gives it.
    labels
        Label by score.
    ceiling
        Correlation that a perfect score would reach on these examples.
    caption
        A line to stand below.
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
        Two panels: (a) a point and an interval a score, the best on top; (b) loss by the number of
        removed triplets, a line a score, random sets as a band.

    Raises
    ------
    ConfigError
        If there is nothing to draw.
    """
    ranks = agreement[agreement["measure"] == "spearman"].sort_values("value")
    if ranks.empty:
        raise ConfigError("there are no scores to draw; the run has recorded none")
    look: dict[str, dict[str, Any]] = {
        name: {"color": _COLOURS[i % len(_COLOURS)], "marker": _MARKERS[i % len(_MARKERS)]}
        for i, name in enumerate(ranks["score"][::-1])
    }
    with styled():
        figure = StyledFigure(figsize=(width, 0.42 * width))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        _agreement(left, ranks, labels, look, ceiling)
        _losses(right, regret, labels, look)
        add_caption(figure, caption)
    return figure


def _agreement(
    axes: Axes,
    ranks: pd.DataFrame,
    labels: Mapping[str, str],
    look: Mapping[str, dict[str, Any]],
    ceiling: float | None,
) -> None:
    axes.axvline(0, color="0.6", linewidth=0.6)
    for height, (name, value, low, high) in enumerate(
        zip(ranks["score"], ranks["value"], ranks["low"], ranks["high"], strict=True)
    ):
        axes.plot([low, high], [height, height], color=look[name]["color"], linewidth=1.2)
        axes.plot([value], [height], markersize=4, **look[name])
    if ceiling is not None and np.isfinite(ceiling):
        axes.axvline(ceiling, color="0.3", linewidth=0.8, linestyle="--")
        axes.text(ceiling, len(ranks) - 0.4, "ceiling", fontsize=5.5, ha="right", va="bottom")
    names = [labels.get(name, name) for name in ranks["score"]]
    axes.set_yticks(range(len(ranks)), names)
    axes.set_ylim(-0.6, len(ranks) - 0.2)
    axes.set_xlabel("Spearman correlation with the loss without each")
    axes.set_title("(a)", loc="left")


def _losses(
    axes: Axes,
    regret: pd.DataFrame,
    labels: Mapping[str, str],
    look: Mapping[str, dict[str, Any]],
) -> None:
    drawn = regret[regret["order"] == "random"].sort_values("removed")
    spread = drawn["spread"].fillna(0)
    axes.fill_between(
        drawn["removed"],
        drawn["loss"] - spread,
        drawn["loss"] + spread,
        color="0.85",
        linewidth=0,
        label="random (±1 s.d.)",
    )
    own = regret[regret["order"] == "oracle"].sort_values("removed")
    axes.plot(own["removed"], own["loss"], color="0.3", linestyle="--", label="oracle's order")
    for name, style in look.items():
        rows = regret[regret["order"] == name].sort_values("removed")
        axes.plot(
            rows["removed"],
            rows["loss"],
            label=labels.get(name, name),
            linewidth=0.9,
            markersize=3,
            **style,
        )
    axes.set_xlabel("triplets removed together")
    axes.set_ylabel("held-out loss")
    axes.legend(fontsize=5, frameon=False, loc="upper left")
    axes.set_title("(b)", loc="left")
