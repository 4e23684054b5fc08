"""A figure inlined: nothing collides, nothing is lost, nothing of the moment stays."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.report.pages import HOSTILE, parsed
from vilora_analysis.figures.svg import inline_svg


def figure(label: str = "x", *, points: int = 7) -> Figure:
    made = Figure(figsize=(3, 2))
    axes = made.add_subplot()
    axes.scatter(np.arange(points), np.arange(points) / 3, c="#d55e00")
    axes.plot([0, 1], [0, 100], clip_on=True)
    axes.set_ylim(0, 2.5)
    axes.set_title(label)
    return made


def references(markup: str) -> set[str]:
    return {*re.findall(r'href="#([^"]+)"', markup), *re.findall(r"url\(#([^)]+)\)", markup)}


def test_ids_are_the_figures_own_and_all_references_lead_somewhere() -> None:
    a, b = inline_svg(figure(), "a").markup, inline_svg(figure(), "b").markup
    ids = [set(re.findall(r'id="([^"]+)"', markup)) for markup in (a, b)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert references(a) == ids[0]
    assert references(b) == ids[1]
    assert a.replace('"a-', '"b-').replace("#a-", "#b-") == b


def test_it_is_one_element_of_marks_alone() -> None:
    markup = inline_svg(figure(HOSTILE[0]), "p").markup
    page = parsed(markup)
    tags = {element.tag for element in page.elements}
    assert tags <= {"svg", "g", "path", "use", "defs", "clippath", "rect"}
    assert not page.comments
    assert "http" not in markup
    assert "script" not in markup
    assert page.elements[0].attributes["viewbox"] == "0 0 216 144"


def test_marks_and_their_places_are_those_that_were_drawn() -> None:
    made = figure(points=5)
    page = parsed(inline_svg(made, "p").markup)
    axes = made.axes[0]
    height = 72 * made.get_figheight()  # type: ignore[union-attr]
    expected = axes.transData.transform(axes.collections[0].get_offsets()) * 72 / made.dpi  # type: ignore[arg-type]
    marks = [
        (float(e.attributes["x"]), float(e.attributes["y"]))
        for e in page.all("use")
        if {"x", "y"} <= e.attributes.keys()
    ]
    for x, y in expected:
        assert min(abs(x - a) + abs(height - y - b) for a, b in marks) < 0.05


@pytest.mark.parametrize("label", ["a\x00\x01b", "--><x>", "漢字 and \ufffe"])
def test_a_label_is_drawn_whatever_it_holds(label: str) -> None:
    assert inline_svg(figure(label), "p").markup.startswith("<svg ")
