"""Each panel shows the points of its link, however little they vary."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection

from tests.figures.frames import (
    LINKS,
    pixels_of,
    theory,
)
from vilora_analysis import analysis, figures


def points_of(collection: PathCollection) -> list[list[float]]:
    offsets: list[list[float]] = np.asarray(collection.get_offsets()).tolist()
    return offsets


def test_a_panel_a_link_and_a_collection_a_factor_with_the_frames_points() -> None:
    points, fits = theory()
    figure = figures.theory_scatter(points, fits, LINKS)
    assert len(figure.axes) == 4
    for axes, (link, x_label, y_label) in zip(figure.axes, LINKS, strict=True):
        assert (axes.get_xlabel(), axes.get_ylabel()) == (x_label, y_label)
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert len(axes.collections) == 3
        for collection, factor in zip(axes.collections, "EAB", strict=True):
            rows = points[(points["link"] == link) & (points["factor"] == factor)]
            # the three without a logarithm come first
            assert points_of(collection) == rows[["x", "y"]].to_numpy()[3:].tolist()
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["(a)", "(b)", "(c)", "(d)"]


def test_factors_differ_in_colour_and_marker() -> None:
    axes = figures.theory_scatter(*theory(), LINKS).axes[0]
    inks = [[*c.get_facecolor(), *c.get_edgecolor()][0] for c in axes.collections]
    assert len({tuple(ink) for ink in inks}) == 3
    assert len({len(c.get_paths()[0].vertices) for c in axes.collections}) == 3


def test_the_points_of_a_hide_none_of_b_nor_the_other_way_round() -> None:
    points, fits = theory()
    points[["x", "y"]] = 1.0
    _, a, b = figures.theory_scatter(points, fits, LINKS).axes[0].collections
    assert len(b.get_facecolor()) == 0
    assert a.get_zorder() > b.get_zorder()
    assert a.get_sizes()[0] < b.get_sizes()[0]


@pytest.mark.parametrize(("rho", "said"), [(-0.57, "−0.57"), (1.0, "1.00"), (np.nan, "–")])
def test_the_legend_gives_rank_correlations_and_slopes_fitted_and_claimed(
    rho: float, said: str
) -> None:
    for axes, slope in zip(
        figures.theory_scatter(*theory(rho), LINKS).axes, ("1", "1", "1", "0.5"), strict=True
    ):
        legend = axes.get_legend()
        assert legend is not None
        texts = [text.get_text() for text in legend.get_texts()]
        fitted = [rf"{f}: $\rho$ = {said}, slope 0.70" for f in "EAB"]
        assert texts == [*fitted, f"claimed: slope {slope}"]


def test_the_guide_has_the_claimed_slope_through_the_middle_of_the_points() -> None:
    points, fits = theory()
    for axes, link in zip(
        figures.theory_scatter(points, fits, LINKS).axes, analysis.LINKS, strict=True
    ):
        (line,) = axes.lines
        x, y = np.log10(line.get_xdata()), np.log10(line.get_ydata())
        assert np.polyfit(x, y, 1)[0] == pytest.approx(link.expected_slope)
        rows = points[points["link"] == link.name]
        rows = rows[(rows["x"] > 0) & (rows["y"] > 0) & np.isfinite(rows["y"])]
        middle_x, middle_y = np.median(np.log10(rows["x"])), np.median(np.log10(rows["y"]))
        assert np.interp(middle_x, x, y) == pytest.approx(middle_y)


@pytest.mark.parametrize("spread", [0.0, 1e-6, 0.1, 3.0])
def test_all_points_are_in_sight_on_axes_of_two_decades_or_more(spread: float) -> None:
    points, fits = theory(y_spread=spread)
    for axes in figures.theory_scatter(points, fits, LINKS).axes:
        for low, high in (axes.get_xlim(), axes.get_ylim()):
            assert np.log10(high / low) >= 2
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        for x, y in itertools.chain(*(points_of(c) for c in axes.collections)):
            assert left < x < right
            assert bottom < y < top


@pytest.mark.parametrize("value", [0.99988, 259.5, 3e-9])
def test_a_side_that_hardly_varies_has_plain_powers_of_ten_as_ticks(value: float) -> None:
    points, fits = theory(y_spread=1e-6)
    points["y"] *= value
    figure = figures.theory_scatter(points, fits, LINKS)
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        bottom, top = axes.get_ylim()
        ticks = [tick for tick in axes.get_yticks() if bottom <= tick <= top]
        assert len(ticks) >= 2
        np.testing.assert_allclose(np.log10(ticks), np.round(np.log10(ticks)), atol=1e-9)
        assert axes.yaxis.get_offset_text().get_text() == ""


def test_lora_has_two_collections() -> None:
    for axes in figures.theory_scatter(*theory(factors="AB"), LINKS).axes:
        assert len(axes.collections) == 2


def test_one_link_makes_one_panel() -> None:
    assert len(figures.theory_scatter(*theory(), LINKS[1:2]).axes) == 1


def test_a_link_without_any_positive_point_stays_empty() -> None:
    points, fits = theory()
    points.loc[points["link"] == LINKS[0][0], "x"] = 0.0
    figure = figures.theory_scatter(points, fits, LINKS)
    assert all(points_of(c) == [] for c in figure.axes[0].collections)
    assert figure.axes[0].lines[:] == []
    assert pixels_of(figure)


def test_legends_cover_no_points() -> None:
    figure = figures.theory_scatter(*theory(), LINKS)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
        legend = axes.get_legend()
        assert legend is not None
        assert legend.get_window_extent(canvas.get_renderer()).y0 >= axes.bbox.y1 - 2
