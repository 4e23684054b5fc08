"""The paper's Fig. 1 with a panel for every method, and how its ranks came about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.panels import letter, panel_letter, panel_row
from vilora_analysis.figures.rank_cells import (
    add_colour_bar,
    draw_cells,
    label_axes,
    left_out,
    most_rank,
    panel_tables,
    write_numbers,
)
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, cell_text, inches

__all__ = ["rank_panels", "rank_strip"]

_LEAST_ROW = 0.095  # inches, for the name of a matrix


def rank_panels(
    panels: pd.DataFrame,
    entropy: pd.DataFrame | None = None,
    *,
    pooler: bool = False,
    decimals: int | None = None,
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
) -> Figure:
    """Draw a panel for every method: layers across, matrices down, the mean rank in each cell.

    Parameters
    ----------
    panels
        As :func:`vilora_analysis.analysis.rank_panels` gives it, of one step.
    entropy
        As :func:`vilora_analysis.analysis.rank_entropy` gives it; each panel then says how even it
        is.
    pooler
        Whether matrices outside the layers stand apart, on top of each panel; if not, the caption
        says that they are left out.
    decimals
        Of the numbers; by default 1, or none if all are whole.
    caption
        A line to stand below, before the one about matrices without a cell.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        Up to three panels a row, with letters, and one colour bar for all; where there are too many
        layers for legible numbers, the colours alone.

    Raises
    ------
    ConfigError
        If the frame is not of one step, or no matrix is within a layer.
    """
    if len(steps := panels["step"].unique()) > 1:
        raise ConfigError(
            f"panels are of one step, got {len(steps)}; choose rows of one, or draw rank_strip"
        )
    tables = panel_tables(panels, pooler=pooler)
    digits = (0 if _whole(tables.values()) else 1) if decimals is None else decimals
    norm, shape = Normalize(0, most_rank(panels)), next(iter(tables.values())).shape
    page, characters = inches(width), len(f"{norm.vmax:.{digits}f}")
    across, size = _fitted(page, len(tables), shape[1], characters)
    down = -(-len(tables) // across)
    said = " ".join(filter(None, [caption, left_out(panels, pooler)]))
    height = 0.35 + ((0.5 + 0.185 * shape[0]) if down <= 3 else (0.36 + 0.165 * shape[0])) * down
    layout: dict[str, Any] = {"sharex": True, "sharey": True, "letters": False, "caption": said}
    with panel_row(page, height, across, down=down, **layout) as (figure, grid):
        for at, (axes, (panel, table)) in enumerate(zip(grid, tables.items(), strict=False)):
            mesh = draw_cells(axes, table, norm)
            write_numbers(axes, table, size, digits)
            label_axes(axes, table, last=at + across >= len(tables))
            letter(axes, at, panel)
            _say_evenness(axes, panel, entropy)
        for axes in grid[len(tables) :]:
            axes.set_visible(False)
        add_colour_bar(figure, mesh, grid[: len(tables)], aspect=14 * down)
    return figure


def rank_strip(panels: pd.DataFrame, *, caption: str = "", width: Width = DOUBLE_COLUMN) -> Figure:
    """Draw rank over training: methods down, steps across, a small heatmap each, without numbers.

    Parameters
    ----------
    panels
        As :func:`vilora_analysis.analysis.rank_panels` gives it, of several steps.
    caption
        A line to stand below.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        One colour bar for all; above each column its step and the rank that is kept in all.

    Raises
    ------
    ConfigError
        If no matrix is within a layer.
    """
    norm, (names, rows) = Normalize(0, most_rank(panels)), _outline(panels)
    steps = sorted(panels["step"].unique())
    page, across, down = inches(width), len(steps), len(names)
    high = len(rows) * float(np.clip(0.78 * page / across / rows.shape[1], _LEAST_ROW, 0.12))
    said = " ".join(filter(None, [caption, left_out(panels, pooler=False)]))
    layout: dict[str, Any] = {"sharex": True, "sharey": True, "letters": False, "caption": said}
    with panel_row(page, 0.65 + (0.1 + high) * down, across, down=down, **layout) as (
        figure,
        places,
    ):
        grid = np.array(places).reshape(down, across)
        for step, column in zip(steps, grid.T, strict=True):
            tables = panel_tables(panels[panels["step"] == step])
            for axes, name in zip(column, names, strict=True):
                mesh = draw_cells(axes, tables[name], norm)
                label_axes(axes, rows, last=axes is column[-1], sparse=True)
            column[0].set_title(f"step {step}\nrank {_total(panels, step):g}", fontsize=6.5)
        for at, (axes, name) in enumerate(zip(grid[:, 0], names, strict=True)):
            label = f"{panel_letter(at)} {name}".replace(", ", ",\n")
            axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=6.5)
        add_colour_bar(figure, mesh, places, aspect=10 * down)
    return figure


def _fitted(page: float, panels: int, layers: int, characters: int) -> tuple[int, float]:
    """The most panels a row, up to three, whose numbers are legible, and the size of these."""
    most = min(panels, 3)
    for across in range(most, 0, -1):
        cells = page * (0.8 if across > 1 else 0.7) / across  # inches
        if size := cell_text(cells / 0.72, layers, characters, largest=6.5):
            return across, size
    return min(panels, 2), 0.0


def _outline(panels: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Names of the panels, and a table of the shape of each."""
    tables = panel_tables(panels)
    return [*tables], next(iter(tables.values()))


def _say_evenness(axes: Axes, panel: str, entropy: pd.DataFrame | None) -> None:
    if entropy is None:
        return
    (value,) = entropy.loc[entropy["panel"] == panel, "entropy"]
    axes.set_title(f"H {value:.3f}", loc="right", fontsize=6, color="0.35")


def _total(panels: pd.DataFrame, step: int) -> float:
    """Rank of all matrices, the mean over methods."""
    at = panels[panels["step"] == step]
    return round(float(at["rank"].sum()) / at["panel"].nunique(), 1)


def _whole(tables: Iterable[pd.DataFrame]) -> bool:
    values = np.concatenate([np.nan_to_num(table.to_numpy()).ravel() for table in tables])
    return bool(np.isclose(values, values.round()).all())
