"""Which scores rank alike: a matrix of rank correlations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vilora_analysis.figures.style import SINGLE_COLUMN, styled

__all__ = ["score_correlation"]


def score_correlation(
    correlations: pd.DataFrame, labels: Mapping[str, str], *, width: float = SINGLE_COLUMN
) -> Figure:
    """Draw the lower triangle of a correlation matrix, the number in each cell.

    Parameters
    ----------
    correlations
        As :func:`vilora_analysis.analysis.correlations` gives it, for one method and group; the
        mean over several steps or runs is drawn.
    labels
        Label by score, for example ``run.labels``; its order is kept.
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
        One heatmap with its colour bar; cells of a constant score stay empty.
    """
    mirrored = correlations.rename(columns={"score_a": "score_b", "score_b": "score_a"})
    both = pd.concat([correlations, mirrored])
    matrix = both.pivot_table("value", "score_a", "score_b", aggfunc="mean", dropna=False)
    names = [name for name in labels if name in matrix.index]
    matrix = matrix.loc[names, names]
    lower = matrix.iloc[1:, :-1]
    above = np.triu(np.ones(lower.shape, dtype=bool), k=1)
    shown = lower.rename(index=labels, columns=labels)
    method = str(correlations["method"].iloc[0]).capitalize()
    with styled():
        figure = Figure(figsize=(width, 0.85 * width))
        axes = figure.subplots()
        sns.heatmap(
            shown,
            mask=above,
            ax=axes,
            vmin=-1,
            vmax=1,
            cmap="RdBu_r",
            annot=True,
            fmt=".2f",
            annot_kws={"size": 5.5},
            linewidths=0.4,
            linecolor="white",
            square=True,
            cbar_kws={"label": f"{method} correlation", "shrink": 0.7, "pad": 0.02},
        )
        axes.set(xlabel="", ylabel="")
        axes.tick_params(length=0)
        axes.tick_params(axis="x", rotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
        axes.tick_params(axis="y", rotation=0)
    return figure
