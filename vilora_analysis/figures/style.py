"""One look for all figures, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from math import isnan
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

import numpy as np
from matplotlib import rc_params_from_file, style
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.typing import ColorType

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import COLOURS
from vilora_analysis.figures.writing import laid_out, without_shaping
from vilora_analysis.provenance import figure_metadata

__all__ = [
    "COLOURS",
    "DOUBLE_COLUMN",
    "SINGLE_COLUMN",
    "SMALLEST",
    "StyledFigure",
    "Width",
    "add_caption",
    "cell_text",
    "contrast_numbers",
    "inches",
    "matrix_label",
    "number",
    "printable",
    "readable_on",
    "save",
    "styled",
    "typeset",
]

SINGLE_COLUMN = 3.4
DOUBLE_COLUMN = 7.0
"""Widths of one and two columns of a two-column paper, in inches."""

Width = float | Literal["single", "double"]
"""Inches, or the column of a two-column paper."""

SMALLEST = 5.5
"""Type size of captions and notes, in points: the smallest but for crowded cells."""

_LEAST_IN_CELLS = 5.0


def inches(width: Width) -> float:
    """Width in inches, of a column by name as well.

    Raises
    ------
    ConfigError
        If it is neither a column nor a positive number.

    Examples
    --------
    >>> inches("single"), inches("double"), inches(5.0)
    (3.4, 7.0, 5.0)
    """
    columns = {"single": SINGLE_COLUMN, "double": DOUBLE_COLUMN}
    found = columns.get(width, 0.0) if isinstance(width, str) else float(width)
    if not 0 < found < float("inf"):
        raise ConfigError(f"width = {width!r}: expected inches, or one of {', '.join(columns)}")
    return found


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the package's style, whatever the user's settings are."""
    with style.context(_sheet(), after_reset=True):
        yield


@cache
def _sheet() -> Any:
    sheet = files("vilora_analysis.figures").joinpath("vilora.mplstyle")
    return dict(rc_params_from_file(str(sheet), use_default_template=False))


class StyledFigure(Figure):
    """A figure that is written in the package's style too: resolution and fonts are chosen then."""

    def savefig(self, fname: Any, *args: Any, **kwargs: Any) -> None:
        """Write the figure with its provenance, see :meth:`matplotlib.figure.Figure.savefig`.

        Nothing tells the kind of a buffer but ``format=``; without that it gets no provenance.
        """
        kind = kwargs.get("format") or Path(str(fname)).suffix[1:]
        own = kwargs.pop("metadata", None) or {}
        metadata = {**(figure_metadata(kind) or {}), **own} or None
        with styled(), laid_out(self, kwargs.get("dpi")), without_shaping():
            super().savefig(fname, *args, metadata=metadata, **kwargs)


def cell_text(width: float, columns: int, characters: int, *, largest: float = 6) -> float:
    """Type size in points at which a number fits into a cell of a heatmap; 0 if none is legible.

    Parameters
    ----------
    width
        Of the figure, in inches; cells take about three quarters of it.
    columns
        Cells across.
    characters
        Of the longest number.

    Examples
    --------
    >>> cell_text(3.4, 12, 2)
    6
    >>> cell_text(3.4, 60, 4)
    0.0
    """
    cell = 72 * 0.72 * width / columns
    size = min(largest, cell / (0.68 * characters))  # digits are 0.64 of their size wide
    return size if size >= _LEAST_IN_CELLS else 0.0


def readable_on(colour: ColorType) -> str:
    """Colour of type that stands out from a background: the one of more contrast (WCAG 2.1).

    Examples
    --------
    >>> readable_on("white"), readable_on("#a69d75"), readable_on("navy")
    ('0.1', '0.1', 'white')
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return "white" if luminance < 0.2 else "0.1"  # there both contrasts are 4.2


def contrast_numbers(axes: Axes) -> None:
    """Colour the numbers of a heatmap so that each stands out from its cell."""
    (mesh,) = axes.collections
    mesh.update_scalarmappable()
    shown = ~np.ma.getmaskarray(np.ma.asarray(mesh.get_array())).ravel()
    cells = np.asarray(mesh.get_facecolor())[shown]
    for text, cell in zip(axes.texts, cells, strict=False):  # there may be no numbers
        text.set_color(readable_on(tuple(cell)))


def add_caption(figure: Figure, text: str) -> None:
    """Write a line, or more if it is long, below everything else, and make room for it."""
    if not text:
        return
    width, height = figure.get_size_inches()
    lines = wrap(typeset(text), int(24 * width))
    figure.supxlabel("\n".join(map(printable, lines)), fontsize=SMALLEST, color="0.25")
    figure.set_size_inches(width, height + 0.11 * len(lines))


def number(value: float) -> str:
    """Two digits with a true minus, and no minus before zero.

    Examples
    --------
    >>> number(-0.034), number(-0.001), number(float("nan"))
    ('−0.03', '0.00', '–')
    """
    return "–" if isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def typeset(text: str) -> str:
    """A sentence for the terminal as it stands in a figure: symbols, and a true minus.

    Examples
    --------
    >>> typeset("1/sigma moves it by -0.03 in sst2-snr-0, |mu| by 1e-3")
    '1/σ moves it by −0.03 in sst2-snr-0, |μ| by 1e−3'
    """
    symbols = text.replace("1/sigma", "1/σ").replace("|mu|", "|μ|")
    return re.sub(r"(?<![^\s(\[,])-(?=\d)|(?<=\de)-(?=\d)", "−", symbols)


@cache
def printable(text: str) -> str:
    r"""Text that can be drawn: what opens math type and is none stands as it is.

    Examples
    --------
    >>> printable(r"$\mu$ of $x$"), printable(r"cost in $"), printable(r"$\frac$")
    ('$\\mu$ of $x$', 'cost in $', '\\$\\frac\\$')
    """
    if is_math_text(text):
        try:
            MathTextParser("path").parse(text)
        except ValueError:
            return text.replace("$", r"\$")
    return text


def matrix_label(name: str) -> str:
    r"""Name of a matrix in math type.

    Examples
    --------
    >>> matrix_label("W_f1"), matrix_label("W_q_dec")
    ('$W_{f1}$', '$W_{q}^{\\mathrm{dec}}$')
    >>> matrix_label("pooler.dense")
    'pooler.dense'
    """
    stem, _, indices = name.partition("_")
    index, _, of = indices.partition("_")
    if stem != "W" or not index.isalnum() or not (of or index).isalnum():
        return printable(name)
    return f"$W_{{{index}}}^{{\\mathrm{{{of}}}}}$" if of else f"$W_{{{index}}}$"


def save(figure: Figure, path: str | Path, formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write a figure, once for each format, with its provenance in each.

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
    with styled(), laid_out(figure):
        for file in written:
            figure.savefig(file, metadata=figure_metadata(file.suffix[1:]))
    return written
