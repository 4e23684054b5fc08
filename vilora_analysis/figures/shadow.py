"""Shadow allocation: which scores keep the same triplets, and how steadily each decides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.correlation import matrix_figure, square
from vilora_analysis.figures.palette import score_looks
from vilora_analysis.figures.panels import panel_row
from vilora_analysis.figures.style import SINGLE_COLUMN, Width, inches

__all__ = ["shadow_churn", "shadow_overlap"]

_ACTUAL = "kept"
_BARS = {
    "kept": "overlap beyond chance",
    "pruned": "overlap of the pruned beyond chance",
    "rbo": "rank-biased overlap beyond chance",
}


def shadow_overlap(
    overlap: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    measure: str = "kept",
    caption: str = "",
    width: Width = SINGLE_COLUMN,
) -> Figure:
    """Draw how far each two scores keep the same triplets beyond chance, the number in each cell.

    Parameters
    ----------
    overlap
        As :func:`vilora_analysis.analysis.overlap` gives it, for one group and one step; of two
        steps, the later stands below the diagonal and the earlier above it.
    labels
        Label by score, for example ``run.labels``; its order is kept.
    measure
        ``kept``, ``pruned`` or ``rbo``.
    caption
        A line to stand below, after the one that says of what sets.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        One heatmap with its colour bar, 0 for chance and 1 for identity; cells where nothing could
        differ stay empty.

    Raises
    ------
    ConfigError
        If the frame has no such measure, or holds several groups or more than two steps.
    """
    chosen = overlap[overlap["measure"] == measure]
    _refuse_several(chosen, measure)
    latest_first = sorted(chosen["step"].unique(), reverse=True)
    halves = [chosen[chosen["step"] == step] for step in latest_first]
    order = [*labels, _ACTUAL]
    matrix = _matrix([square(half, order, "corrected") for half in halves])
    said = f"{_said(halves, measure)} {caption}".strip()
    return matrix_figure(
        matrix, matrix.isna().to_numpy(), labels, bar=_BARS[measure], caption=said, width=width
    )


def _refuse_several(chosen: pd.DataFrame, measure: str) -> None:
    groups, steps = chosen["group"].unique(), chosen["step"].unique()
    if len(groups) != 1 or len(steps) > 2:
        raise ConfigError(
            f"expected the overlap {measure!r} of one group at one step or two, got "
            f"{', '.join(map(str, groups)) or 'none'} at {len(steps)} steps; choose rows, as in "
            "frame[frame['step'].isin([first, last])]"
        )


def _matrix(squares: list[pd.DataFrame]) -> pd.DataFrame:
    """Below the diagonal the one, above it the other, if there is one; no line without a score."""
    whole = squares[0]
    below = np.tril(np.ones(whole.shape, dtype=bool), k=-1)
    if len(squares) == 1:
        return whole.where(below).iloc[1:, :-1]
    other = squares[1].reindex(index=whole.index, columns=whole.columns)
    there = whole.columns.isin(squares[1].columns) | (np.arange(len(whole)) < len(whole) - 1)
    return whole.where(below).fillna(other.where(below.T)).loc[:, there]


def _said(halves: list[pd.DataFrame], measure: str) -> str:
    """What the cells compare, and what their 0 and 1 stand for."""
    sides = (" (below the diagonal)", " (above)") if len(halves) > 1 else ("",)
    n = int(halves[0]["n"].max())
    index = "" if measure == "rbo" else "Jaccard "
    lead = "Ranking" if measure == "rbo" else f"{measure.capitalize()} of"
    when = [
        f"{'' if measure == 'rbo' else int(half['size_a'].max())} at step "
        f"{int(half['step'].iloc[0])}{side}".strip()
        for half, side in zip(halves, sides, strict=True)
    ]
    chances = dict.fromkeys(f"{half['chance'].mean():.2f}" for half in halves)
    return (
        f"{lead} {n} triplets: {', '.join(when)}. 0: as random ones ({index}"
        f"{' and '.join(chances)}), 1: the same."
    )


def shadow_churn(
    churn: pd.DataFrame, labels: Mapping[str, str], *, width: Width = SINGLE_COLUMN
) -> Figure:
    """Draw how much of its set each score has exchanged so far.

    Parameters
    ----------
    churn
        As :func:`vilora_analysis.analysis.churn` gives it.
    labels
        Label by score, for example ``run.labels``.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        A line a score, the sum of its churn over the decisions so far, what the run kept in black.
        The legend lists them from most to least.

    Raises
    ------
    ConfigError
        If there is nothing to draw: one decision has none before it.
    """
    if churn.empty:
        raise ConfigError("no churn to draw: it takes at least two recorded decisions")
    chance = 100 * churn["chance"].mean()
    said = f"Sets drawn at random would exchange {chance:.0f}% at a decision on average."
    page = inches(width)
    height = max(0.72 * page, 0.4 + 0.125 * churn["score"].nunique())
    with panel_row(page, height, caption=said) as (figure, (axes,)):
        _lines(axes, churn, labels)
        axes.set(xlabel="step", ylabel="exchanged so far, % of the kept set")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        figure.legend(loc="outside right center", handlelength=2.4, labelspacing=0.35)
    return figure


def _lines(axes: Axes, churn: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Lines, added from the highest end to the lowest; markers where they do not meet."""
    looks = score_looks(str(name) for name in churn["score"].unique() if name != _ACTUAL)
    ends = churn.groupby("score", sort=False)["cumulative"].last()
    for name in map(str, ends.sort_values(ascending=False, kind="stable").index):
        rows = churn[churn["score"] == name]
        # broad and behind the others: the criterion's own line lies on it
        (line,) = axes.plot(rows["step"], 100 * rows["cumulative"], label=labels.get(name, name))
        if name == _ACTUAL:
            line.set(color="black", linewidth=2.2, zorder=1.5)
        else:
            first = 0.2 * [*looks].index(name) / len(looks)
            line.set(**looks[name], markersize=2.5, markevery=(first, 0.2))
