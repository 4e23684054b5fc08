"""The paper's Fig. 1: kept rank by matrix and layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import RANKS
from vilora_analysis.figures.panels import colour_bar, panel_row
from vilora_analysis.figures.style import (
    SINGLE_COLUMN,
    Width,
    cell_text,
    contrast_numbers,
    inches,
    matrix_label,
)
from vilora_analysis.naming import ROLES

__all__ = ["rank_heatmap"]


def rank_heatmap(ranks: pd.DataFrame, *, width: Width = SINGLE_COLUMN) -> Figure:
    """Draw a heatmap of kept rank, layers across and matrices down, the number in each cell.

    Parameters
    ----------
    ranks
        As :func:`vilora_analysis.analysis.ranks` gives it; the mean over several runs is drawn.
        Matrices outside the layers (a pooler) have no cell; a line below says what they keep.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        One heatmap with its colour bar; where there are too many layers for legible numbers, the
        colours alone.

    Raises
    ------
    ConfigError
        If no matrix is within a layer.
    """
    import seaborn as sns  # not with the package: it takes a fifth of a second

    layered = ranks.dropna(subset=["layer"])
    if layered.empty:
        raise ConfigError("no matrix within a layer to draw: the frame of ranks has no such row")
    table = layered.pivot_table(
        index="matrix", columns="layer", values="rank", aggfunc="mean", observed=True
    )
    known = [name for name in ROLES if name in table.index]
    table = table.loc[[*known, *(name for name in table.index if name not in known)]]
    whole = bool(np.isclose(table.fillna(0), table.fillna(0).round()).all().all())
    most = float(layered["init_rank"].max())
    page = inches(width)
    size = cell_text(page, table.shape[1], len(f"{most:.{0 if whole else 1}f}"))
    caption = _outside_layers(ranks)
    with panel_row(page, 0.55 + 0.26 * len(table), caption=caption) as (figure, (axes,)):
        sns.heatmap(
            table.rename(index=matrix_label, columns=lambda layer: str(int(layer) + 1)),
            ax=axes,
            vmin=0,
            vmax=most,
            cmap=RANKS,
            annot=size > 0,
            fmt=".0f" if whole else ".1f",
            annot_kws={"size": size},
            linewidths=0.4,
            linecolor="white",
            cbar=False,
            xticklabels=-(-table.shape[1] // 12),
        )
        ticks = MaxNLocator(5, integer=True)
        colour_bar(figure, axes.collections[0], axes, "rank kept", aspect=14, ticks=ticks)
        axes.set(xlabel="layer", ylabel="")
        axes.tick_params(length=0)
        axes.tick_params(axis="y", rotation=0)
        axes.tick_params(axis="x", rotation=0)
        contrast_numbers(axes)
    return figure


def _outside_layers(ranks: pd.DataFrame) -> str:
    """What the matrices without a cell keep, the first three of them by name."""
    outside = ranks[ranks["layer"].isna()]
    if outside.empty:
        return ""
    kept = outside.groupby("matrix", sort=False, observed=True)[["rank", "init_rank"]].mean()
    said = [f"{row.Index} keeps {row.rank:g} of {row.init_rank:g}" for row in kept.itertuples()]
    more = f", and {len(said) - 3} more" if len(said) > 3 else ""
    return f"Not shown, outside the layers: {', '.join(said[:3])}{more}."
