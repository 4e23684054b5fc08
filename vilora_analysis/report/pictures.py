"""An answer's figures as pictures of the page, their captions as its text."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup
from matplotlib.figure import Figure

from vilora_analysis.figures.drawing import Pending, begin_here_or_there
from vilora_analysis.figures.svg import inline_svg

__all__ = ["Later", "Picture", "begin", "drawn"]

Draw = Callable[[], Figure]


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes
    ----------
    name
        Of the file that ``vilora audit`` would write.
    svg
        An ``svg`` element, empty if it could not be drawn.
    width
        In points; how wide it is shown where there is room.
    caption
        What stands below it; of one that could not be drawn, why.
    """

    name: str
    svg: Markup
    width: float
    caption: str


Later = Pending[Picture]
"""A picture that may still be on its way."""


def drawn(make: Draw, name: str, prefix: str) -> Picture:
    """Draw a figure now.

    Its caption is left out and said beside it, where it can be read aloud and wraps on a phone. A
    name that is broken math type ends no report: the picture then says what was wrong.
    """
    bare, caption = _without_caption(make)
    try:
        picture = inline_svg(bare(), prefix)
    except ValueError as error:
        return Picture(name, Markup(), 0, f"{name} cannot be drawn: {' '.join(str(error).split())}")
    return Picture(name, Markup(picture.markup), picture.width, caption)


def begin(make: Draw, name: str, prefix: str, executor: Executor | None) -> Later:
    """Have a figure drawn by another process if there is one, else when it is asked for."""
    return begin_here_or_there(partial(drawn, make, name, prefix), executor)


def _without_caption(make: Draw) -> tuple[Draw, str]:
    """Caption of a figure that is drawn by a function and its arguments; others keep theirs."""
    if not isinstance(make, partial) or not make.keywords.get("caption"):
        return make, ""
    bare: Draw = partial(make.func, *make.args, **{**make.keywords, "caption": ""})
    return bare, str(make.keywords["caption"])
