"""What the figures of ranks by panel share: tables of cells, their colours, numbers and labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import RANKS
from vilora_analysis.figures.panels import colour_bar
from vilora_analysis.figures.style import SMALLEST, contrast_numbers, matrix_label
from vilora_analysis.naming import ROLES

__all__ = [
    "add_colour_bar",
    "draw_cells",
    "label_axes",
    "left_out",
    "most_rank",
    "panel_tables",
    "write_numbers",
]

_GAP = 0.45  # rows between the layers' matrices and those outside of them


def panel_tables(panels: pd.DataFrame, *, pooler: bool = False) -> dict[str, pd.DataFrame]:
    """Mean rank by matrix and layer for each panel, all of one shape.

    Matrices outside the layers, if shown, have their number in the column of the first layer.
    """
    layered = panels.dropna(subset=["layer"])
    if layered.empty:
        raise ConfigError("no matrix within a layer to draw: the frame of panels has no such row")
    outside = panels[panels["layer"].isna()] if pooler else panels[:0]
    there = {*layered["matrix"]}
    inner = [*(n for n in ROLES if n in there), *sorted(there.difference(ROLES))]
    rows = [*dict.fromkeys(outside["matrix"]), *inner]
    columns = sorted(int(layer) for layer in layered["layer"].unique())
    drawn = pd.concat([layered, outside.assign(layer=columns[0])])
    tables = {}
    for (_, name), part in drawn.groupby(["order", "panel"]):
        table = part.pivot_table("rank", "matrix", "layer", aggfunc="mean").astype(float)
        tables[str(name)] = table.reindex(index=rows, columns=columns)
        tables[str(name)].attrs["apart"] = len(rows) - len(inner)
    return tables


def draw_cells(axes: Axes, table: pd.DataFrame, norm: Normalize) -> QuadMesh:
    """Cells at whole places across, and at :func:`_places` down; empty where there is no matrix."""
    values, apart = table.to_numpy(), table.attrs["apart"]
    edges = np.arange(len(table) + 1) - 0.5
    if apart:  # an empty row of another height
        values = np.insert(values, apart, np.nan, axis=0)
        edges = np.concatenate([edges[: apart + 1], edges[apart:] + _GAP])
    mesh = axes.pcolormesh(
        np.arange(table.shape[1] + 1) - 0.5,
        edges,
        np.ma.masked_invalid(values),
        norm=norm,
        cmap=RANKS,
        edgecolors="white",
        linewidth=0.4,
    )
    axes.set(xlim=(-0.5, table.shape[1] - 0.5), ylim=(edges[-1], edges[0]))
    axes.spines[:].set_visible(False)
    return mesh


def _places(table: pd.DataFrame) -> np.ndarray:
    """Height of the middle of each row."""
    at = np.arange(len(table), dtype=float)
    apart = table.attrs["apart"]
    return np.where(at < apart, at, at + (_GAP if apart else 0))


def write_numbers(axes: Axes, table: pd.DataFrame, size: float, digits: int) -> None:
    """Write the value of each cell into it; nothing if the size is 0."""
    if not size:
        return
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        if not np.isnan(value):
            shown, place = f"{value:.{digits}f}", float(_places(table)[row])
            axes.text(column, place, shown, ha="center", va="center", fontsize=size)
    contrast_numbers(axes)


def label_axes(axes: Axes, table: pd.DataFrame, *, last: bool, sparse: bool = False) -> None:
    """Names of matrices and numbers of layers; a small panel has room for few of them."""
    layers = [str(int(layer) + 1) for layer in table.columns.tolist()]
    step = max(1, len(layers) // 3) if sparse else -(-len(layers) // 12)
    axes.set_xticks(range(0, len(layers), step), layers[::step])
    size = SMALLEST if sparse else 6.5
    axes.set_yticks(_places(table), [_row_label(name) for name in table.index], fontsize=size)
    axes.tick_params(length=0, pad=2, labelbottom=last)
    axes.tick_params(axis="x", labelsize=size)
    if last:
        axes.set_xlabel("layer", fontsize=6 if sparse else None)


def _row_label(matrix: str) -> str:
    return matrix_label(matrix).removesuffix(".dense")


def add_colour_bar(
    figure: Figure, mesh: ScalarMappable, axes: Sequence[Axes], aspect: float
) -> None:
    """One bar for all axes, with whole ranks."""
    ticks = MaxNLocator(6, integer=True)
    colour_bar(figure, mesh, axes, "mean rank kept", aspect=aspect, pad=0.015, ticks=ticks)


def left_out(panels: pd.DataFrame, pooler: bool) -> str:
    """What the matrices without a cell keep, the first three of them by name."""
    outside = panels[panels["layer"].isna()]
    if outside.empty:
        return ""
    last = outside[outside["step"] == outside["step"].max()]
    if pooler:
        return "Apart, on top: outside the layers."
    kept = [
        f"{name} ({_span(group['rank'])} kept of {group['init_rank'].max():g})"
        for name, group in last.groupby("matrix", sort=False)
    ]
    more = f", and {len(kept) - 3} more" if len(kept) > 3 else ""
    return f"Left out, outside the layers: {', '.join(kept[:3])}{more}."


def _span(values: pd.Series) -> str:
    """Least and most, or the one value that all have."""
    ends = dict.fromkeys(f"{value:.3g}" for value in (values.min(), values.max()))
    return " to ".join(ends)


def most_rank(panels: pd.DataFrame) -> float:
    """End of the colours: all that any drawn matrix could keep."""
    return float(panels.dropna(subset=["layer"])["init_rank"].max())
