"""The claims sheet as a forest: every test's effect and interval, its margin, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.panels import panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, SMALLEST, Width, inches, typeset

__all__ = ["claims_forest"]

VERDICTS = {
    "supported": ("#009E73", "o"),
    "not supported": ("#D55E00", "s"),
    "underpowered": ("0.45", "D"),
    "not testable": ("0.7", "x"),
}
"""Colour and marker a verdict; told apart by the colour-blind (Okabe and Ito 2008) and in grey."""

_ROW = 0.18  # inches
_REACH = 4.0  # margins to either side of the axis
_COLUMNS = {"pairs": 0.0, "effect": 0.1, "verdict": 0.74}
_LINE = 60  # characters


def claims_forest(
    frame: pd.DataFrame, *, caption: str = "", width: Width = DOUBLE_COLUMN
) -> Figure:
    """Draw the tests of one task below each other, claim by claim.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.claims` gives it, of one task.
    caption
        A line to stand below.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        A row a test: left what is tested, in the middle the effect in margins of the test (band:
        within the margin; right of 0 in favour of the claim), right the number of pairs, the effect
        in its own unit and the verdict. A solid line is an exact interval, a dotted one Student's,
        which decides nothing; an arrow goes on beyond the axis.

    Raises
    ------
    ConfigError
        If there is nothing to draw, or several tasks.
    """
    tasks = frame["task"].unique()
    if len(tasks) != 1:
        raise ConfigError(
            f"expected the tests of one task, got {', '.join(map(str, tasks)) or 'none'}; choose "
            "one as in frame[frame['task'] == ...]"
        )
    heights = list(_heights(frame))
    height = 0.75 + _ROW * (max(heights) + 1)
    layout: dict[str, Any] = {"sharey": True, "width_ratios": (1.75, 1, 1.5), "caption": caption}
    with panel_row(inches(width), height, 3, letters=False, **layout) as (figure, panels):
        left, middle, right = panels
        _frame_axes(left, middle, right, heights)
        claims = list(frame["claim"])
        for place, ((_, row), height) in enumerate(zip(frame.iterrows(), heights, strict=True)):
            first = place == 0 or claims[place - 1] != claims[place]
            _words(left, right, row, height, row["claim"] if first else "")
            if row["n_pairs"]:
                _interval(middle, row, height)
        left.set_title(str(tasks[0]), loc="left")
    return figure


def _heights(frame: pd.DataFrame) -> Iterator[float]:
    """Rows at whole numbers, with room between claims."""
    height, last = 0.0, None
    for claim in frame["claim"]:
        height += 0.5 if last not in (None, claim) else 0.0
        yield height
        height, last = height + 1, claim


def _frame_axes(left: Axes, axes: Axes, right: Axes, heights: list[float]) -> None:
    for side in (left, right):
        side.set_axis_off()
        side.set_xlim(0, 1)
    for name, place in _COLUMNS.items():
        right.text(place, -1, name, color="0.4", fontsize=SMALLEST, in_layout=False)
    axes.axvspan(-1, 1, color="0.92", linewidth=0, zorder=0)
    axes.axvline(0, color="0.6", linewidth=0.6, zorder=1)
    axes.set_xlim(-_REACH, _REACH)
    axes.set_ylim(max(heights) + 0.7, -0.8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        "effect, in margins of its test; right is in favour\n(“as good as”: inside the band is)"
    )


def _words(left: Axes, right: Axes, row: pd.Series, height: float, claim: str) -> None:
    look: dict[str, Any] = {"va": "center", "fontsize": SMALLEST, "in_layout": False}
    evidence = "" if row["evidence"].startswith("runs") else f" [{row['evidence'].split()[0]}]"
    left.text(0, height, claim, weight="bold", **look)
    lines = wrap(typeset(row["statement"]) + evidence, _LINE)
    left.text(0.09, height, "\n".join(lines), linespacing=0.95, **look)
    right.text(_COLUMNS["pairs"], height, str(row["n_pairs"] or "–"), **look)
    right.text(_COLUMNS["effect"], height, _effect(row), **look)
    colour, _ = VERDICTS[row["verdict"]]
    right.text(_COLUMNS["verdict"], height, row["verdict"], color=_readable(colour), **look)


def _interval(axes: Axes, row: pd.Series, height: float) -> None:
    colour, marker = VERDICTS[row["verdict"]]
    low, value, high = (
        (row[name] - row["reference"]) / row["margin"] for name in ("low", "effect", "high")
    )
    ends = np.clip([low, high], -_REACH, _REACH)
    style = ":" if row["interval"] == "t" else "-"
    axes.plot(ends, [height, height], color=colour, linewidth=1.2, linestyle=style, zorder=2)
    for end, beyond in ((-_REACH, low < -_REACH), (_REACH, high > _REACH)):
        if beyond:
            axes.plot(end, height, color=colour, clip_on=False, **_arrow(end))
    if abs(value) <= _REACH:
        axes.plot(value, height, color=colour, marker=marker, markersize=3.5, zorder=3)
    else:
        axes.plot(np.sign(value) * _REACH, height, color=colour, clip_on=False, **_arrow(value))


def _arrow(side: float) -> dict[str, Any]:
    return {"marker": ">" if side > 0 else "<", "markersize": 4, "zorder": 4}


def _effect(row: pd.Series) -> str:
    """Effect and interval in their own unit."""
    if not row["n_pairs"]:
        return "–"
    effect, low, high = (round(row[name], 6) + 0.0 for name in ("effect", "low", "high"))
    value = f"{effect:+.3g}"
    ends = "" if np.isnan(low) else f" [{low:.3g}, {high:.3g}]"
    return f"{value}{ends}".replace("-", "−") + f" {row['unit']}"


def _readable(colour: str) -> str:
    return "0.35" if colour.startswith("0.") else colour
