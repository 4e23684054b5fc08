"""What is done once for all files of a figure, and what is left out of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from fontTools import subset  # type: ignore[import-untyped]
from matplotlib.figure import Figure

__all__ = ["laid_out", "without_shaping"]

_SHAPING = ("GDEF", "GPOS", "GSUB")


@contextmanager
def laid_out(figure: Figure, dpi: float | str | None = None) -> Iterator[None]:
    """Lay a figure out, and keep its axes where they are while it is written.

    matplotlib lays out once more for each file, and draws for that without drawing, which takes
    longer than the drawing itself. A figure that is laid out, or need not be, stays as it is.

    Parameters
    ----------
    figure
        Whose layout engine is taken away for the block, and given back.
    dpi
        As of :meth:`matplotlib.figure.Figure.savefig`: type is rounded to pixels.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        _lay_out(figure, dpi)
    # saving sets the engine anew, to what is the default then if there is none
    with mpl.rc_context({"figure.constrained_layout.use": False, "figure.autolayout": False}):
        figure.set_layout_engine(None)
        try:
            yield
        finally:
            figure.set_layout_engine(engine)


def _lay_out(figure: Figure, dpi: float | str | None) -> None:
    own = figure.dpi
    dpi = mpl.rcParams["savefig.dpi"] if dpi is None else dpi
    figure.dpi = own if isinstance(dpi, str) else dpi
    figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
    figure.dpi = own


@contextmanager
def without_shaping() -> Iterator[None]:
    """Embed fonts in a PDF without the tables that only who sets type needs.

    A PDF says glyph by glyph where each stands (ISO 32000-1, section 9.7), so a reader never looks
    at ligatures and kerning; to cut those tables to the glyphs used is two thirds of the work.
    """
    before: list[str] = subset.Options._drop_tables_default
    subset.Options._drop_tables_default = [*before, *_SHAPING]
    try:
        yield
    finally:
        subset.Options._drop_tables_default = before
