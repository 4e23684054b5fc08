"""One look for all figures, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from matplotlib import rc_context, style
from matplotlib.figure import Figure

__all__ = ["COLOURS", "DOUBLE_COLUMN", "SINGLE_COLUMN", "matrix_label", "save", "styled"]

SINGLE_COLUMN = 3.4
DOUBLE_COLUMN = 7.0
"""Widths of one and two columns of a two-column paper, in inches."""

COLOURS = {"E": "#D55E00", "A": "#0072B2", "B": "#009E73"}
"""A colour a factor, told apart by the colour-blind and in grey (Okabe and Ito 2008)."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the package's style, whatever the user's settings are."""
    sheet = files("vilora_analysis.figures").joinpath("vilora.mplstyle")
    with rc_context(), style.context(str(sheet)):
        yield


def matrix_label(name: str) -> str:
    """Name of a matrix in math type.

    Examples
    --------
    >>> matrix_label("W_f1")
    '$W_{f1}$'
    >>> matrix_label("pooler.dense")
    'pooler.dense'
    """
    stem, _, index = name.partition("_")
    return f"$W_{{{index}}}$" if stem == "W" and index.isalnum() else name


def save(figure: Figure, path: str | Path, formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write a figure, once for each format.

    Parameters
    ----------
    figure
        What to write.
    path
        File name without its suffix; folders are created.
    formats
        Suffixes.

    Returns
    -------
    list of Path
        The files written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_name(f"{path.name}.{suffix}") for suffix in formats]
    with styled():
        for file in written:
            figure.savefig(file)
    return written
