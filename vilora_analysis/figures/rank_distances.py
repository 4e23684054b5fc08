"""How far apart methods put their rank, beside how far apart their seeds do."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import RANKS
from vilora_analysis.figures.panels import colour_bar, panel_letter, panel_row
from vilora_analysis.figures.style import SINGLE_COLUMN, Width, contrast_numbers, inches

__all__ = ["rank_distance_matrix"]


def rank_distance_matrix(
    distances: pd.DataFrame, *, caption: str = "", width: Width = SINGLE_COLUMN
) -> Figure:
    """Draw a matrix of the panels: distance below, and above and on the diagonal the yardstick.

    Parameters
    ----------
    distances
        As :func:`vilora_analysis.analysis.rank_distances` gives it.
    caption
        A line to stand below, after the one that says what the cells are.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        Below the diagonal two methods on the same seed, above it on different seeds, on it one
        method on different seeds, in percent of the rank; empty where there is one seed.

    Raises
    ------
    ConfigError
        If there are not two panels.
    """
    labels = distances.sort_values("order_a").drop_duplicates("order_a")["panel_a"].tolist()
    if len(labels) < 2:
        raise ConfigError("no distance to draw: it takes runs of two methods")
    values = _matrix(distances, len(labels))
    height, said = 0.55 + 0.27 * len(labels), f"{_said(distances)} {caption}".strip()
    with panel_row(inches(width), height, caption=said) as (figure, (axes,)):
        mesh = axes.pcolormesh(
            np.ma.masked_invalid(values),
            vmin=0,
            cmap=RANKS,
            edgecolors="white",
            linewidth=0.4,
        )
        _write(axes, values)
        letters = [panel_letter(at) for at in range(len(labels))]
        middle = np.arange(len(labels)) + 0.5
        axes.set_xticks(middle, letters)
        axes.set_yticks(middle, [f"{a} {b}" for a, b in zip(letters, labels, strict=True)])
        axes.tick_params(length=0)
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        colour_bar(figure, mesh, axes, "rank elsewhere, %", aspect=16, ticks=MaxNLocator(5))
    return figure


def _matrix(distances: pd.DataFrame, size: int) -> np.ndarray:
    """Rows and columns are panels; NaN where nothing was measured."""
    values = np.full((size, size), np.nan)
    place = {order: at for at, order in enumerate(sorted({*distances["order_a"]}))}
    for _, row in distances.iterrows():
        a, b = place[row["order_a"]], place[row["order_b"]]
        values[b, a] = row["equal_seeds"]
        values[a, b] = row["other_seeds"]  # later, so that the diagonal holds this one
    return values


def _write(axes: Axes, values: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            text = f"{value:.1f}" if value < 99.95 else "100"
            weight = "bold" if row == column else "normal"
            at = (column + 0.5, row + 0.5)
            axes.text(*at, text, ha="center", va="center", fontsize=6, fontweight=weight)
    contrast_numbers(axes)


def _said(distances: pd.DataFrame) -> str:
    below = "Below the diagonal: two methods on the same seed"
    seeds = "; above: on different seeds; bold: one method on different seeds"
    several = distances["other_seeds"].notna().any()
    return f"{below}{seeds if several else ''}. Random sets: {distances['chance'].mean():.1f}."
