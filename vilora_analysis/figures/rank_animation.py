"""Rank over training as a small animated picture."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.animation import PillowWriter

from vilora_analysis.figures.rank_panels import rank_panels
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, styled

__all__ = ["animate_ranks"]


def animate_ranks(
    panels: pd.DataFrame,
    path: str | Path,
    *,
    frames_per_second: int = 2,
    dpi: int = 100,
    width: Width = DOUBLE_COLUMN,
) -> Path:
    """Write a GIF of the panels, a picture a step; the last stays for two seconds.

    Parameters
    ----------
    panels
        As :func:`vilora_analysis.analysis.rank_panels` gives it, of several steps.
    path
        File to write; its folder is created.
    frames_per_second
        Pictures a second.
    dpi
        Pixels an inch.
    width
        Of the picture, in inches, or a column by name.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = panels.dropna(subset=["layer"])  # a line about the others would change its length
    steps = sorted(drawn["step"].unique())
    writer = PillowWriter(fps=frames_per_second)
    with styled():
        for at, step in enumerate(steps):
            figure = rank_panels(drawn[drawn["step"] == step], decimals=1, width=width)
            figure.suptitle(f"step {step}", fontsize=7.5)
            if at == 0:
                writer.setup(figure, str(path), dpi)
            writer.fig = figure
            last = step == steps[-1]
            for _ in range(2 * frames_per_second if last else 1):
                writer.grab_frame()
    writer.finish()
    return path
