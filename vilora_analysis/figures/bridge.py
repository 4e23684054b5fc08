"""From sensitivity to snr: what each swapped ingredient does to the ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import GROUPS, GUIDE, group_look
from vilora_analysis.figures.panels import legend_above, panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, inches

__all__ = ["score_bridge"]

_NAMES = {
    "uncertainty": "drop the product with Ū",
    "horizon": "average for longer",
    "norm": "mean |·| to root mean square",
    "weight": "weight of now, not of then",
    "curvature": "squared gradient to IVON's h",
}
_MOST = min(4, len(GROUPS))


def score_bridge(
    frame: pd.DataFrame,
    *,
    group: str = "run",
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
) -> Figure:
    """Draw how much nearer to snr each swap brings the ranking, and how far it moves it.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.bridge` gives it, of one step of one run or more; those
        of several concatenated, with a column that tells them apart.
    group
        That column: runs of one group have one colour, and their mean is the bar.
    caption
        A line to stand below.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        (a) the share of each swap in 1 minus the Spearman correlation of sensitivity and snr, a
        point a run; the line through it goes from the least to the most in any order of swaps.
        (b) how far the swap moves the ranking at all.

    Raises
    ------
    ConfigError
        If there is nothing to draw, or more groups than can be told apart.
    """
    rows = frame[(frame["part"] == "all") & frame["nearer"].notna()]
    names = rows[group].astype(str) if group in rows else pd.Series("", index=rows.index)
    groups = list(dict.fromkeys(names))
    if not 1 <= len(groups) <= _MOST:
        raise ConfigError(
            f"expected 1 to {_MOST} groups in column {group!r} to draw, got {len(groups)}; "
            "give another column, or fewer runs"
        )
    page = inches(width)
    with panel_row(page, 0.36 * page, 2, sharey=True, caption=caption) as (figure, panels):
        left, right = panels
        for number, name in enumerate(groups):
            own = rows[names == name]
            offset = (number - (len(groups) - 1) / 2) * 0.8 / len(groups)
            _ranges(left, own, offset)
            _points(left, own, "nearer", offset, number, name, len(groups))
            _points(right, own, "moved", offset, number, name, len(groups))
        left.axvline(0, **GUIDE)
        for axes in (left, right):
            axes.locator_params(axis="x", nbins=5)
        left.set_yticks(range(len(_NAMES)), list(_NAMES.values()))
        left.invert_yaxis()
        left.set_xlabel("nearer to snr (Spearman)")
        right.set_xlabel("ranking moved (1 − Spearman)")
        if groups != [""]:
            points = [line for line in right.lines if not str(line.get_label()).startswith("_")]
            legend_above(right, points, ncols=2)
    return figure


def _ranges(axes: Axes, rows: pd.DataFrame, offset: float) -> None:
    for height, swap in enumerate(_NAMES):
        own = rows[rows["swap"] == swap]
        axes.plot(
            [own["least"].min(), own["most"].max()],
            [height + offset] * 2,
            color="0.6",
            linewidth=0.7,
            zorder=3,
        )


def _points(
    axes: Axes, rows: pd.DataFrame, column: str, offset: float, number: int, name: str, groups: int
) -> None:
    look = group_look(number)
    values = [rows.loc[rows["swap"] == swap, column].to_numpy() for swap in _NAMES]
    heights = np.arange(len(_NAMES)) + offset
    axes.barh(
        heights,
        [found.mean() if len(found) else 0.0 for found in values],
        height=0.7 / groups,
        color=look["color"],
        alpha=0.3,
        linewidth=0,
    )
    for height, found in zip(heights, values, strict=True):
        axes.plot(
            found,
            np.full(len(found), height),
            markersize=2.5,
            linestyle="none",
            zorder=4,
            label=name if height == heights[0] else None,
            **look,
        )
