"""The paper's Fig. 1: kept rank by matrix and layer."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vilora_analysis.figures.style import SINGLE_COLUMN, matrix_label, styled
from vilora_analysis.naming import MATRICES

__all__ = ["rank_heatmap"]


def rank_heatmap(ranks: pd.DataFrame, *, width: float = SINGLE_COLUMN) -> Figure:
    """Draw a heatmap of kept rank, layers across and matrices down, the number in each cell.

    Parameters
    ----------
    ranks
        As :func:`vilora_analysis.analysis.ranks` gives it; the mean over several runs is drawn.
        Matrices outside the layers (a pooler) are left out.
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
        One heatmap with its colour bar.
    """
    layered = ranks.dropna(subset=["layer"])
    table = layered.pivot_table(
        index="matrix", columns="layer", values="rank", aggfunc="mean", observed=True
    )
    known = [name for name in MATRICES if name in table.index]
    table = table.loc[[*known, *(name for name in table.index if name not in known)]]
    whole = bool(np.isclose(table.fillna(0), table.fillna(0).round()).all().all())
    with styled():
        figure = Figure(figsize=(width, 0.6 + 0.27 * len(table)))
        axes = figure.subplots()
        sns.heatmap(
            table.rename(index=matrix_label, columns=lambda layer: str(int(layer) + 1)),
            ax=axes,
            vmin=0,
            vmax=float(layered["init_rank"].max()),
            cmap=mpl.colormaps["cividis"],
            annot=True,
            fmt=".0f" if whole else ".1f",
            annot_kws={"size": 6},
            linewidths=0.4,
            linecolor="white",
            cbar_kws={"label": "rank kept", "pad": 0.02, "aspect": 14},
        )
        axes.set(xlabel="layer", ylabel="")
        axes.tick_params(length=0)
        axes.tick_params(axis="y", rotation=0)
    return figure
