"""A figure as SVG that can stand within a page of HTML beside others.

Text is drawn as outlines, not set as text: a reader's machine need not have the font, so nothing
moves or overlaps, and what came out of a run is geometry in there, never markup. What must be read
by machines is said beside the figure, as the page's own text.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

from vilora_analysis.figures.style import styled

__all__ = ["InlineSVG", "inline_svg"]

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAMED = re.compile(r"#([\w.-]+)")
_LEFT_OUT = {"metadata", "style"}


@dataclass(frozen=True)
class InlineSVG:
    """A picture to put into a page.

    Attributes
    ----------
    markup
        An ``svg`` element without size, metadata, style sheet and foreign names; what it refers to
        lies within it.
    width, height
        In points.
    """

    markup: str
    width: float
    height: float


def inline_svg(figure: Figure, prefix: str) -> InlineSVG:
    """Draw a figure as an SVG element.

    Parameters
    ----------
    figure
        What to draw.
    prefix
        Begins every id, to be another for each figure of a page: matplotlib gives clip paths and
        glyphs the same ids in all files.

    Returns
    -------
    InlineSVG
        The same for the same figure; joins and caps of lines, which matplotlib has in a style sheet
        for everything, are properties of the ``svg`` element.
    """
    root = ElementTree.fromstring(_NOT_XML.sub("", _drawn(figure)))
    _plain_names(root)
    _without(root, _LEFT_OUT)
    _rename(root, prefix)
    for element in root.iter():
        _shorten(element)
        _hoist_style(element)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "style": "stroke-linejoin:round;stroke-linecap:butt",
        "aria-hidden": "true",
        "focusable": "false",
    }
    return InlineSVG(ElementTree.tostring(root, encoding="unicode"), width, height)


def _drawn(figure: Figure) -> str:
    page = io.StringIO()
    with styled(), mpl.rc_context({"svg.fonttype": "path"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from")  # a box stands in its place
        figure.savefig(page, format="svg")
    return page.getvalue()


def _plain_names(root: ElementTree.Element) -> None:
    """Names without namespace, as HTML has them: its parser knows which elements are SVG's."""
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(name): value for name, value in element.attrib.items()}
        element.text = element.tail = None


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _without(root: ElementTree.Element, tags: set[str]) -> None:
    for parent in [*root.iter()]:
        for child in [child for child in parent if child.tag in tags]:
            parent.remove(child)


def _rename(root: ElementTree.Element, prefix: str) -> None:
    """Number what is referred to in the order of its appearance, and drop other ids.

    Some of matplotlib's ids hold the address of an object, and differ from time to time.
    """
    wanted = {name for element in root.iter() for name in _references(element)}
    names: dict[str, str] = {}
    for element in root.iter():
        known = element.attrib.pop("id", None)
        if known in wanted:
            element.set("id", names.setdefault(known, f"{prefix}-{len(names)}"))
    for element in root.iter():
        for key in ("href", "clip-path"):
            if (value := element.get(key)) and "#" in value and not value.startswith("data:"):
                element.set(key, _NAMED.sub(lambda m: f"#{names.get(m[1], m[1])}", value))


def _references(element: ElementTree.Element) -> Iterator[str]:
    for key in ("href", "clip-path"):
        value = element.get(key, "")
        if not value.startswith("data:"):
            yield from _NAMED.findall(value)


def _shorten(element: ElementTree.Element) -> None:
    """Two decimals of a point, and no spaces that say nothing; scales stay as they are."""
    for key in ("d", "x", "y", "width", "height"):
        if (value := element.get(key)) is not None:
            tight = re.sub(r"\s*([A-Za-z])\s*", r"\1", re.sub(r"\s+", " ", value))
            element.set(key, _two_decimals(tight))
    if (value := element.get("transform")) is not None:
        moved = re.sub(r"translate\([^)]*\)", lambda m: _two_decimals(m[0]), value)
        element.set("transform", moved)
    if (value := element.get("style")) is not None:
        element.set("style", value.replace(": ", ":").replace("; ", ";"))


def _two_decimals(text: str) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", text)


def _hoist_style(group: ElementTree.Element) -> None:
    """Say once what all marks of a group look like; what does not pass down stays."""
    marks = [*group]
    styles = {mark.get("style") for mark in marks}
    if group.tag != "g" or group.get("style") or len(marks) < 2 or len(styles) > 1:
        return
    style = styles.pop()
    if style and {mark.tag for mark in marks} <= {"use", "path"} and _passes_down(style):
        group.set("style", style)
        for mark in marks:
            del mark.attrib["style"]


def _passes_down(style: str) -> bool:
    return not re.search(r"(^|;)\s*(opacity|clip-path)\s*:", style)
