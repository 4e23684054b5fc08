"""Time of a training step in each way, and where it goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import GUIDE
from vilora_analysis.figures.panels import legend_above, panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, inches

__all__ = ["step_times"]

_WHEN: dict[str, dict[str, Any]] = {
    "prunes": {"marker": "^", "label": "step that prunes", "color": "#CC79A7"},
    "between": {"marker": "v", "label": "step between", "color": "#8A7A00"},
    "average": {"marker": "o", "label": "average, 95% interval", "color": "0.1"},
}
_PHASES = {
    "forward": ("forward", "0.9"),
    "backward": ("backward", "0.72"),
    "penalty": ("penalty", "#56B4E9"),
    "update": ("optimizer", "0.45"),
    "allocation": ("allocation", "#E69F00"),
    "recording": ("recording", "#4B0055"),
    "rest": ("rest", "0.2"),
}
"""Name and colour a part of a step: greys, and what this package does in colour."""

_ROW = 0.2  # inches


def step_times(
    summary: pd.DataFrame,
    split: pd.DataFrame,
    *,
    paper: float = 10.0,
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
) -> Figure:
    """Draw the time of a step beside the published way's, and its parts.

    Parameters
    ----------
    summary, split
        As :func:`vilora_analysis.analysis.speed_summary` and ``speed_split`` give them.
    paper
        Speed-up of snr under IVON that the paper reports, in percent.
    caption
        A line to stand below.
    width
        Of the figure, in inches, or the name of a column.

    Returns
    -------
    Figure
        A row a variant, in the order of the frame. (a) the ratio of its time to that of AdamW with
        sensitivity and PEFT's allocator: for a step that prunes, for one between, and on average
        with its interval; lines at 1 and at the paper's claim. (b) the parts of the average step in
        milliseconds, one after the other.

    Raises
    ------
    ConfigError
        If there is nothing to draw.
    """
    if summary.empty or split.empty:
        raise ConfigError("no steps to draw; measure some with vilora bench")
    names = list(dict.fromkeys(summary["variant"]))
    height = 0.85 + _ROW * len(names)
    with panel_row(inches(width), height, 2, sharey=True, caption=caption) as (figure, panels):
        left, right = panels
        _ratios(left, summary, names, paper)
        _parts(right, split, names)
        left.set_yticks(range(len(names)), names)
        left.set_ylim(len(names) - 0.5, -0.5)
    return figure


def _ratios(axes: Axes, summary: pd.DataFrame, names: list[str], paper: float) -> None:
    axes.axvline(1, **{**GUIDE, "color": "0.6"}, zorder=0)
    label = f"the paper's {paper:g}% speed-up"
    axes.axvline(1 / (1 + paper / 100), linestyle="--", label=label, zorder=0, **GUIDE)
    for when, look in _WHEN.items():
        rows = summary[summary["when"] == when].set_index("variant").loc[names]
        heights = range(len(names))
        if when == "average":
            axes.hlines(heights, rows["low"], rows["high"], color=look["color"], linewidth=1.0)
        axes.plot(rows["ratio"], heights, linestyle="none", markersize=3.2, **look)
    axes.set_xlabel("time of a step / AdamW sensitivity, PEFT")
    legend_above(axes, ncols=2)


def _parts(axes: Axes, split: pd.DataFrame, names: list[str]) -> None:
    ms = split.set_index(["variant", "phase"])["ms"]
    left = np.zeros(len(names))
    for phase, (label, colour) in _PHASES.items():
        widths = np.array([ms.get((name, phase), 0.0) for name in names])
        axes.barh(
            range(len(names)), widths, left=left, height=0.7, color=colour, label=label,
            edgecolor="white", linewidth=0.3,
        )  # fmt: skip
        left += widths
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("milliseconds a step")
    legend_above(axes, ncols=4, handlelength=1.0)
