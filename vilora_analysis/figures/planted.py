"""Planted ranks: how much of them each score finds, and where it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.style import (
    DOUBLE_COLUMN,
    StyledFigure,
    add_caption,
    cell_text,
    contrast_numbers,
    matrix_label,
    styled,
)
from vilora_analysis.naming import ROLES

__all__ = ["planted_heatmap", "planted_recall"]

_CHANCE, _ORACLE, _PLANTED = "chance", "oracle", "planted"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Told apart by the colour-blind (Okabe and Ito 2008); the markers tell them apart in grey."""
_MARKERS = "osD^vP*X"
_NAMES = {_ORACLE: "oracle", _CHANCE: "chance", _PLANTED: "planted"}


def planted_recall(
    summary: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    curves: Sequence[str] = ("snr", "sensitivity", "mean_abs", "triplet_norm"),
    caption: str = "",
    width: float = DOUBLE_COLUMN,
) -> Figure:
    """Draw what each score finds at the right budget, and precision against recall around it.

    Parameters
    ----------
    summary
        As :func:`vilora_analysis.analysis.planted_summary` gives it for what was found; of several
        steps the last is drawn.
    labels
        Label by score.
    curves
        Scores of the right panel, as far as they are there.
    caption
        A line to stand below.
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
        Two panels: (a) a point a score, the best on top, with the 95% interval over seeds, and
        lines for the oracle and for chance; (b) a curve a score over the budgets.

    Raises
    ------
    ConfigError
        If there is nothing to draw.
    """
    values = summary[summary["against"] == "nothing"]
    values = values[values["step"] == values["step"].max()]
    right = values[(values["measure"] == "recall") & (values["multiple"] == 1)]
    if right.empty:
        raise ConfigError("no recall at the planted budget to draw: count with multiple 1 as well")
    drawn = right[~right["score"].isin([_CHANCE, _ORACLE])].sort_values("mean", kind="stable")
    with styled():
        figure = StyledFigure(figsize=(width, max(2.4, 0.7 + 0.125 * len(drawn))))
        left, other = figure.subplots(1, 2, width_ratios=(1, 1))
        _points(left, drawn, right.set_index("score"), labels)
        names = [name for name in (*curves, _ORACLE, _CHANCE) if name in set(values["score"])]
        _curves(other, values, names, labels)
        add_caption(figure, caption)
    return figure


def planted_heatmap(
    ranks: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    caption: str = "",
    width: float = DOUBLE_COLUMN,
) -> Figure:
    """Draw the rank of every module: planted on top, below it what each score would keep there.

    Parameters
    ----------
    ranks
        As :func:`vilora_analysis.analysis.planted_ranks` gives it.
    labels
        Label by score.
    caption
        A line to stand below.
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
        One heatmap, a column a module; frames stand around the planted ones.

    Raises
    ------
    ConfigError
        If the frame does not say what was planted.
    """
    if _PLANTED not in set(ranks["source"]):
        raise ConfigError("the frame of ranks has no rows of source 'planted'; nothing to draw")
    modules = _ordered(ranks)
    table = ranks.pivot_table("rank", "source", "module", sort=False)[modules["module"].tolist()]
    most = int(table.to_numpy().max())
    size = cell_text(width, table.shape[1], len(str(most)))
    with styled():
        figure = StyledFigure(figsize=(width, 0.95 + 0.19 * len(table)))
        axes = figure.subplots()
        sns.heatmap(
            table,
            ax=axes,
            vmin=0,
            vmax=most,
            cmap=mpl.colormaps["cividis"],
            annot=size > 0,
            fmt=".0f",
            annot_kws={"size": size},
            linewidths=0.4,
            linecolor="white",
            cbar_kws={"label": "rank", "pad": 0.015, "ticks": MaxNLocator(4, integer=True)},
        )
        contrast_numbers(axes)
        _frame_planted(axes, table.loc[_PLANTED].to_numpy(), len(table))
        axes.set_xticks(np.arange(len(modules)) + 0.5, _module_labels(modules), rotation=90)
        axes.set_yticks(
            np.arange(len(table)) + 0.5, [_label(name, labels) for name in table.index], rotation=0
        )
        axes.tick_params(length=0, labelsize=6)
        axes.set(xlabel="layer and matrix", ylabel="")
        add_caption(figure, caption)
    return figure


def _points(
    axes: Axes, drawn: pd.DataFrame, means: pd.DataFrame, labels: Mapping[str, str]
) -> None:
    for name, dashes in ((_ORACLE, "--"), (_CHANCE, ":")):
        if name in means.index:
            value = float(means["mean"].to_dict()[name])
            axes.axvline(value, color="0.4", linewidth=0.9, linestyle=dashes, label=name)
            axes.text(value, len(drawn) - 0.3, name, fontsize=6, ha="center", va="bottom")
    heights = np.arange(len(drawn))
    there = drawn["low"].notna().to_numpy()
    axes.hlines(heights[there], drawn["low"][there], drawn["high"][there], "#0072B2", linewidth=1)
    axes.plot(drawn["mean"], heights, "o", color="#0072B2", markersize=3)
    axes.set_yticks(heights, [labels.get(name, name) for name in drawn["score"]], fontsize=6)
    axes.set_ylim(-0.7, len(drawn) - 0.3)
    axes.set_xlim(min(0.0, *_lower(drawn)), None)
    axes.set_xlabel("recall of the planted rank, at its budget")
    axes.set_title("(a)", loc="left", pad=11)


def _lower(drawn: pd.DataFrame) -> Iterable[float]:
    """Ends of the intervals that stay on the page: a recall below 0 means nothing."""
    return [0.0, *drawn["low"].dropna().clip(lower=0).tolist()]


def _curves(
    axes: Axes, values: pd.DataFrame, names: Sequence[str], labels: Mapping[str, str]
) -> None:
    looks = cycle(zip(_COLOURS, _MARKERS, strict=False))
    for name in names:
        part = values[values["score"] == name]
        wide = part.pivot_table("mean", "multiple", "measure").sort_index()
        grey = {_ORACLE: "--", _CHANCE: ":"}.get(name)
        colour, marker = ("0.4", "") if grey else next(looks)
        axes.plot(
            wide["recall"],
            wide["precision"],
            grey or "-",
            color=colour,
            marker=marker,
            markersize=3,
            linewidth=1,
            label=_label(name, labels),
        )
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_title("(b)", loc="left", pad=11)


def _ordered(ranks: pd.DataFrame) -> pd.DataFrame:
    """One row a module, by layer and matrix."""
    modules = ranks[["module", "matrix", "layer"]].drop_duplicates("module")
    place = modules["matrix"].map({name: at for at, name in enumerate(ROLES)}).fillna(len(ROLES))
    ordered = modules.assign(place=place).sort_values(
        ["layer", "place"], kind="stable", na_position="last"
    )
    return ordered.drop(columns="place")


def _module_labels(modules: pd.DataFrame) -> list[str]:
    rows = zip(modules["layer"], modules["matrix"], strict=True)
    return [
        matrix_label(matrix) if pd.isna(layer) else f"{int(layer) + 1} {matrix_label(matrix)}"
        for layer, matrix in rows
    ]


def _frame_planted(axes: Axes, planted: np.ndarray, rows: int) -> None:
    look: dict[str, Any] = {
        "fill": False,
        "edgecolor": "#D55E00",
        "linewidth": 1.2,
        "clip_on": False,
    }
    for column in np.flatnonzero(planted).tolist():
        axes.add_patch(Rectangle((column, 0), 1, rows, **look))


def _label(name: str, labels: Mapping[str, str]) -> str:
    return _NAMES.get(name) or labels.get(name, name)
