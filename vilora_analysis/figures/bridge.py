"""From sensitivity to snr: what each swapped ingredient does to the ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.style import DOUBLE_COLUMN, StyledFigure, add_caption, styled

__all__ = ["score_bridge"]

_NAMES = {
    "uncertainty": "drop the product with Ū",
    "horizon": "average for longer",
    "norm": "mean |·| to root mean square",
    "weight": "weight of now, not of then",
    "curvature": "squared gradient to IVON's h",
}
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_MARKERS = "osD^"


def score_bridge(
    frame: pd.DataFrame,
    *,
    group: str = "run",
    caption: str = "",
    width: float = DOUBLE_COLUMN,
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
        Of the figure, in inches.

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
    if not 1 <= len(groups) <= len(_COLOURS):
        raise ConfigError(
            f"expected 1 to {len(_COLOURS)} groups in column {group!r} to draw, got {len(groups)}; "
            "give another column, or fewer runs"
        )
    with styled():
        figure = StyledFigure(figsize=(width, 0.36 * width))
        left, right = figure.subplots(1, 2, sharey=True)
        for number, name in enumerate(groups):
            own = rows[names == name]
            offset = (number - (len(groups) - 1) / 2) * 0.8 / len(groups)
            _ranges(left, own, offset)
            _points(left, own, "nearer", offset, number, name, len(groups))
            _points(right, own, "moved", offset, number, name, len(groups))
        left.axvline(0, color="0.4", linewidth=0.6)
        for axes in (left, right):
            axes.locator_params(axis="x", nbins=5)
        left.set_yticks(range(len(_NAMES)), list(_NAMES.values()))
        left.invert_yaxis()
        left.set_xlabel("nearer to snr (Spearman)")
        right.set_xlabel("ranking moved (1 − Spearman)")
        for letter, axes in zip("ab", (left, right), strict=True):
            axes.set_title(f"({letter})", loc="left")
        if groups != [""]:
            right.legend(fontsize=6, frameon=False, loc="best")
        add_caption(figure, caption)
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
    colour = _COLOURS[number]
    values = [rows.loc[rows["swap"] == swap, column].to_numpy() for swap in _NAMES]
    heights = np.arange(len(_NAMES)) + offset
    axes.barh(
        heights,
        [found.mean() if len(found) else 0.0 for found in values],
        height=0.7 / groups,
        color=colour,
        alpha=0.35,
        linewidth=0,
        label=name,
    )
    for height, found in zip(heights, values, strict=True):
        axes.plot(
            found,
            np.full(len(found), height),
            _MARKERS[number],
            color=colour,
            markersize=2.5,
            linestyle="none",
            zorder=4,
        )
