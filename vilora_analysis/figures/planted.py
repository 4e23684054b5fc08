"""Planted ranks: how much of them each score finds, and where it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import GUIDE, QUIET, RANKS, score_looks
from vilora_analysis.figures.panels import colour_bar, panel_row
from vilora_analysis.figures.style import (
    DOUBLE_COLUMN,
    Width,
    cell_text,
    contrast_numbers,
    inches,
    matrix_label,
)
from vilora_analysis.naming import ROLES

__all__ = ["planted_heatmap", "planted_recall"]

_CHANCE, _ORACLE, _PLANTED = "chance", "oracle", "planted"
_NAMES = {_ORACLE: "oracle", _CHANCE: "chance", _PLANTED: "planted"}


def planted_recall(
    summary: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    curves: Sequence[str] = ("snr", "sensitivity", "mean_abs", "triplet_norm"),
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
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
        Of the figure, in inches, or a column by name.

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
    names = [name for name in curves if name in set(values["score"])]
    looks = score_looks(names)
    height = max(2.4, 0.7 + 0.125 * len(drawn))
    with panel_row(inches(width), height, 2, caption=caption) as (figure, (left, other)):
        _points(left, drawn, right.set_index("score"), labels, looks)
        _curves(other, values, looks, labels)
    return figure


def planted_heatmap(
    ranks: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
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
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        One heatmap, a column a module; frames stand around the planted ones.

    Raises
    ------
    ConfigError
        If the frame does not say what was planted.
    """
    import seaborn as sns  # not with the package: it takes a fifth of a second

    if _PLANTED not in set(ranks["source"]):
        raise ConfigError("the frame of ranks has no rows of source 'planted'; nothing to draw")
    modules = _ordered(ranks)
    table = ranks.pivot_table("rank", "source", "module", sort=False)[modules["module"].tolist()]
    most = int(table.to_numpy().max())
    page = inches(width)
    size = cell_text(page, table.shape[1], len(str(most)))
    with panel_row(page, 0.95 + 0.19 * len(table), caption=caption) as (figure, (axes,)):
        sns.heatmap(
            table,
            ax=axes,
            vmin=0,
            vmax=most,
            cmap=RANKS,
            annot=size > 0,
            fmt=".0f",
            annot_kws={"size": size},
            linewidths=0.4,
            linecolor="white",
            cbar=False,
        )
        ticks = MaxNLocator(4, integer=True)
        colour_bar(figure, axes.collections[0], axes, "rank", aspect=14, ticks=ticks)
        contrast_numbers(axes)
        _frame_planted(axes, table.loc[_PLANTED].to_numpy(), len(table))
        axes.set_xticks(np.arange(len(modules)) + 0.5, _module_labels(modules), rotation=90)
        axes.set_yticks(
            np.arange(len(table)) + 0.5, [_label(name, labels) for name in table.index], rotation=0
        )
        axes.tick_params(length=0, labelsize=6)
        axes.set(xlabel="layer and matrix", ylabel="")
    return figure


def _points(
    axes: Axes,
    drawn: pd.DataFrame,
    means: pd.DataFrame,
    labels: Mapping[str, str],
    looks: Mapping[str, dict[str, Any]],
) -> None:
    for name, dashes in ((_ORACLE, "--"), (_CHANCE, ":")):
        if name in means.index:
            value = float(means["mean"].to_dict()[name])
            axes.axvline(value, linestyle=dashes, label=name, **GUIDE)
            axes.text(value, len(drawn) - 0.3, name, fontsize=6, ha="center", va="bottom")
    heights = np.arange(len(drawn))
    look = [looks.get(name, QUIET) for name in drawn["score"]]
    there = drawn["low"].notna().to_numpy()
    inks = [one["color"] for one, known in zip(look, there, strict=True) if known]
    axes.hlines(heights[there], drawn["low"][there], drawn["high"][there], inks, linewidth=1)
    for height, mean, one in zip(heights, drawn["mean"], look, strict=True):
        axes.plot([mean], [height], **{**one, "markersize": 3.5, "linestyle": "none"})
    axes.set_yticks(heights, [labels.get(name, name) for name in drawn["score"]], fontsize=6)
    axes.set_ylim(-0.7, len(drawn) - 0.3)
    axes.set_xlim(min(0.0, *_lower(drawn)), None)
    axes.set_xlabel("recall of the planted rank, at its budget")


def _lower(drawn: pd.DataFrame) -> Iterable[float]:
    """Ends of the intervals that stay on the page: a recall below 0 means nothing."""
    return [0.0, *drawn["low"].dropna().clip(lower=0).tolist()]


def _curves(
    axes: Axes,
    values: pd.DataFrame,
    looks: Mapping[str, dict[str, Any]],
    labels: Mapping[str, str],
) -> None:
    lines = {_ORACLE: {**GUIDE, "linestyle": "--"}, _CHANCE: {**GUIDE, "linestyle": ":"}}
    there = set(values["score"])
    for name, look in {**looks, **{n: line for n, line in lines.items() if n in there}}.items():
        part = values[values["score"] == name]
        wide = part.pivot_table("mean", "multiple", "measure").sort_index()
        shown = {"markersize": 3.5, "label": _label(name, labels), **look}
        axes.plot(wide["recall"], wide["precision"], **shown)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=2.4)


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
        "edgecolor": "black",
        "linewidth": 1.2,
        "clip_on": False,
    }
    for column in np.flatnonzero(planted).tolist():
        axes.add_patch(Rectangle((column, 0), 1, rows, **look))


def _label(name: str, labels: Mapping[str, str]) -> str:
    return _NAMES.get(name) or labels.get(name, name)
