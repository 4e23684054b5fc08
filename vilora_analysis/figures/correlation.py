"""Which scores rank alike: a matrix of rank correlations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import SIGNED
from vilora_analysis.figures.panels import colour_bar, panel_row
from vilora_analysis.figures.style import (
    SINGLE_COLUMN,
    SMALLEST,
    Width,
    cell_text,
    contrast_numbers,
    inches,
    number,
)

__all__ = ["matrix_figure", "score_correlation", "square"]


def score_correlation(
    correlations: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    caption: str = "",
    width: Width = SINGLE_COLUMN,
) -> Figure:
    """Draw the lower triangle of a correlation matrix, the number in each cell.

    Parameters
    ----------
    correlations
        As :func:`vilora_analysis.analysis.correlations` gives it, for one method and group; the
        mean over several steps or runs is drawn.
    labels
        Label by score, for example ``run.labels``; its order is kept, and scores without a label
        follow by their names.
    caption
        A line to stand below, for example what the symbols of the labels mean.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        One heatmap with its colour bar; cells of a constant score stay empty.

    Raises
    ------
    ConfigError
        If the frame is empty, or holds several methods or groups.
    """
    method = _only(correlations, "method").capitalize()
    _only(correlations, "group")
    whole = square(correlations, list(labels))
    lower = whole.where(np.tril(np.ones(whole.shape, dtype=bool), k=-1)).iloc[1:, :-1]
    above = np.triu(np.ones(lower.shape, dtype=bool), k=1)
    return matrix_figure(
        lower, above, labels, bar=f"{method} correlation", caption=caption, width=width
    )


def matrix_figure(
    matrix: pd.DataFrame,
    hidden: np.ndarray,
    labels: Mapping[str, str],
    *,
    bar: str,
    caption: str,
    width: Width,
) -> Figure:
    """Draw a matrix of numbers from -1 to 1 between scores, the number in each cell.

    Parameters
    ----------
    matrix
        Scores down and across.
    hidden
        Cells to leave empty, of the same shape.
    labels
        Label by score.
    bar
        What the colour bar is called.
    caption
        A line to stand below.
    width
        Of the figure, in inches, or a column by name.
    """
    import seaborn as sns  # not with the package: it takes a fifth of a second

    page = inches(width)
    size = cell_text(page, matrix.shape[1], 5, largest=SMALLEST)
    write = number if size else _minus
    with panel_row(page, 0.8 * page, caption=caption) as (figure, (axes,)):
        sns.heatmap(
            matrix.rename(index=labels, columns=labels),
            mask=hidden,
            ax=axes,
            vmin=-1,
            vmax=1,
            cmap=SIGNED,
            annot=np.vectorize(write, otypes=[object])(matrix),
            fmt="",
            annot_kws={"size": size or SMALLEST},
            linewidths=0.4,
            linecolor="white",
            square=True,
            cbar=False,
        )
        colour_bar(figure, axes.collections[0], axes, bar, shrink=0.7, ticks=MultipleLocator(0.5))
        axes.set(xlabel="", ylabel="")
        axes.tick_params(length=0)
        # slanted where there is room for it, and upright where lines would touch
        axes.tick_params(axis="x", rotation=45 if size else 90)
        for label in axes.get_xticklabels():
            label.set(ha="right", va="top" if size else "center", rotation_mode="anchor")
        axes.tick_params(axis="y", rotation=0)
        contrast_numbers(axes)
    return figure


def _minus(value: float) -> str:
    """Sign of a cell without room for its number: the ends of the colours are alike in grey."""
    return "−" if number(value).startswith("−") else ""


def _only(correlations: pd.DataFrame, column: str) -> str:
    found = [str(value) for value in correlations[column].unique()]
    if len(found) == 1:
        return found[0]
    raise ConfigError(
        f"expected correlations of one {column}, got {', '.join(found) or 'none'}; choose the "
        f"rows of one, as in frame[frame[{column!r}] == ...]"
    )


def square(pairs: pd.DataFrame, order: list[str], value: str = "value") -> pd.DataFrame:
    """All pairs as a square matrix, in the order given and then as they come."""
    mirrored = pairs.rename(columns={"score_a": "score_b", "score_b": "score_a"})
    both = pd.concat([pairs, mirrored])
    matrix = both.pivot_table(value, "score_a", "score_b", aggfunc="mean", dropna=False)
    there = list(dict.fromkeys(both["score_a"]))
    names = [*(n for n in order if n in there), *(n for n in there if n not in order)]
    return matrix.loc[names, names]
