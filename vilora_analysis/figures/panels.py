"""The frame that figures share: a row of panels with letters, legends above, a bar of colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from string import ascii_lowercase
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import LogLocator, NullLocator

from vilora_analysis.figures.style import StyledFigure, add_caption, styled

__all__ = ["colour_bar", "legend_above", "letter", "log_limits", "panel_letter", "panel_row"]

_LEAST_DECADES = 2.2


@contextmanager
def panel_row(
    width: float,
    height: float,
    across: int = 1,
    *,
    down: int = 1,
    letters: bool = True,
    caption: str = "",
    **layout: Any,
) -> Iterator[tuple[StyledFigure, list[Axes]]]:
    """Panels beside each other in the package's style, with letters and the caption once drawn.

    Parameters
    ----------
    width, height
        Of the panels, in inches; the caption adds to the height.
    across, down
        Panels a row, and rows.
    letters
        Whether panels have letters; one alone has none.
    caption
        A line to stand below.
    layout
        As for :meth:`matplotlib.figure.Figure.subplots`, for example ``width_ratios``.

    Yields
    ------
    tuple
        The figure, and its panels row by row.
    """
    with styled():
        figure = StyledFigure(figsize=(width, height))
        panels = [*figure.subplots(down, across, squeeze=False, **layout).flat]
        yield figure, panels
        shown = [axes for axes in panels if axes.get_visible() and axes.axison]
        for at, axes in enumerate(shown if letters and len(shown) > 1 else []):
            letter(axes, at)
        add_caption(figure, caption)


def panel_letter(at: int) -> str:
    """Letter of a panel; after (z) come (aa), (ab) and so on.

    Examples
    --------
    >>> panel_letter(0), panel_letter(5), panel_letter(27)
    ('(a)', '(f)', '(ab)')
    """
    first, last = divmod(at, 26)
    return f"({ascii_lowercase[first - 1] if first else ''}{ascii_lowercase[last]})"


def letter(axes: Axes, at: int, name: str = "") -> None:
    """Write a panel's letter above its upper left corner, where no legend comes.

    It ends where the panel begins; before a name, which it numbers, it begins there.
    """
    if name:
        axes.set_title(f"{panel_letter(at)} {name}", loc="left", fontsize=7)
    else:
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(panel_letter(at), (0, 1), (-3, 6), ha="right", fontsize=7.5, **place)


def legend_above(
    axes: Axes, handles: Sequence[Artist | Container] | None = None, **how: Any
) -> Legend | None:
    """A legend above the panel, flush with its right side, where it covers nothing.

    Parameters
    ----------
    axes
        The panel.
    handles
        What to name; by default all that has a label. Nothing, and there is no legend.
    how
        As for :meth:`matplotlib.axes.Axes.legend`.
    """
    named = axes.get_legend_handles_labels()[0] if handles is None else handles
    if not named:
        return None
    spacing = {"handlelength": 1.4, "columnspacing": 0.8, "handletextpad": 0.4}
    spacing |= {"borderpad": 0.1, "labelspacing": 0.25}
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.03, 0.98)}
    return axes.legend(handles=list(named), **{**spacing, **place, **how})


def colour_bar(
    figure: Figure,
    mesh: ScalarMappable,
    axes: Axes | Sequence[Axes],
    label: str,
    **how: Any,
) -> Colorbar:
    """A bar of colours without outline and ticks, which the steps of its numbers do not need."""
    bar = figure.colorbar(mesh, ax=axes, **{"pad": 0.02, **how})
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    return bar


def log_limits(
    axis: Axis, values: np.ndarray, *, ticks: int, least: float = _LEAST_DECADES
) -> tuple[float, float] | None:
    """Ticks at powers of ten, and limits wide enough that what hardly varies looks like it.

    Parameters
    ----------
    axis
        An axis with a log scale.
    values
        What is drawn along it; what is not above 0 has no place there.
    ticks
        The most ticks.
    least
        Decades that are shown, at least.

    Returns
    -------
    tuple of float, or None
        The limits, which are set as well; None if there is nothing to see.
    """
    axis.set_major_locator(LogLocator(numticks=ticks))
    axis.set_minor_locator(NullLocator())
    logarithms = np.log10(values[values > 0])
    if not logarithms.size:
        return None
    low, high = float(logarithms.min()), float(logarithms.max())
    margin = max(0.05 * (high - low), (least - (high - low)) / 2)
    limits = (10 ** (low - margin), 10 ** (high + margin))
    set_limits = axis.axes.set_xlim if axis is axis.axes.xaxis else axis.axes.set_ylim
    set_limits(limits)
    return limits
