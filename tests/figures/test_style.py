"""One style: every figure is printable, looks alike, and tells nothing apart by colour alone."""

from __future__ import annotations

import inspect
import itertools
import re
from functools import cache

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.figures.drawings import DRAWINGS, SCALED
from vilora_analysis import figures
from vilora_analysis.errors import ConfigError
from vilora_analysis.figures import palette, style

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.052]]
)
SIGHTS = {"all": np.eye(3), "deuteranopia": DEUTERANOPIA, "protanopia": PROTANOPIA}
XYZ = np.array(
    [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07218], [0.01933, 0.1192, 0.9503]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
CRITERIA = ("snr", "mean_abs", "inverse_std", "sensitivity")


def lab(colour: object, sight: np.ndarray = SIGHTS["all"]) -> np.ndarray:
    """CIE L*a*b* of a colour as somebody sees it; the first is the lightness, all that grey has."""
    rgb = np.array(to_rgb(colour))  # type: ignore[arg-type]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(np.clip(XYZ @ np.clip(sight @ linear, 0, 1) / WHITE, 1e-6, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(first: object, second: object, sight: np.ndarray) -> float:
    return float(np.linalg.norm(lab(first, sight) - lab(second, sight)))


def of_figures() -> set[str]:
    """Public functions that give a figure."""
    there = {name: getattr(figures, name) for name in figures.__all__}
    return {
        name
        for name, found in there.items()
        if callable(found) and inspect.signature(found).return_annotation in ("Figure", Figure)
    }


@cache
def drawn_of(name: str) -> tuple[Figure, FigureCanvasAgg]:
    """A figure, once for all that look at it."""
    figure = DRAWINGS[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return figure, canvas


def test_every_public_figure_is_among_the_drawings() -> None:
    source = inspect.getsource(inspect.getmodule(SCALED["ranks"]))  # type: ignore[arg-type]
    assert {name for name in of_figures() if f"figures.{name}(" not in source} == set()


@pytest.mark.parametrize("name", DRAWINGS)
class TestEachFigure:
    def test_labels_of_an_axis_do_not_overlap(self, name: str) -> None:
        figure, canvas = drawn_of(name)
        renderer = canvas.get_renderer()
        for axes in filter(Axes.get_visible, figure.axes):
            for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
                level = [t for t in labels if t.get_text() and t.get_rotation() in (0.0, 90.0)]
                boxes = [text.get_window_extent(renderer).padded(-0.5) for text in level]
                for first, second in itertools.pairwise(boxes):
                    assert not first.overlaps(second)

    def test_no_legend_lies_on_the_data(self, name: str) -> None:
        figure, canvas = drawn_of(name)
        for legend in figure.findobj(mpl.legend.Legend):
            box = legend.get_window_extent(canvas.get_renderer()).padded(-2)
            assert not any(box.overlaps(axes.bbox) for axes in figure.axes if axes.get_visible())

    def test_letters_stand_at_one_place(self, name: str) -> None:
        figure, canvas = drawn_of(name)
        found, offsets = figure.findobj(mpl.legend.Legend), set()
        legends = [legend.get_window_extent(canvas.get_renderer()) for legend in found]
        for axes in filter(Axes.get_visible, figure.axes):
            for text in (*axes.texts, axes.title, axes._left_title):  # type: ignore[attr-defined]
                if re.match(r"\([a-z]\)", text.get_text()):
                    box = text.get_window_extent(canvas.get_renderer())
                    named = len(text.get_text()) > 3
                    x = (box.x0 if named else box.x1) - axes.bbox.x0
                    offsets.add((named, round(72 * x / figure.dpi)))
                    assert 0 < box.y0 - axes.bbox.y1 < 0.2 * figure.dpi
                    assert not any(box.overlaps(legend) for legend in legends)
        assert offsets <= {(True, 0), (False, -3)}

    def test_colours_of_the_axes_type_and_paper_are_the_styles(self, name: str) -> None:
        figure, _ = drawn_of(name)
        assert to_rgb(figure.get_facecolor()) == (1, 1, 1)
        for axes in figure.axes:
            assert to_rgb(axes.get_facecolor()) == (1, 1, 1)
            assert {text.get_fontfamily()[0] for text in axes.findobj(Text)} == {"sans-serif"}

    def test_a_column_has_a_name(self, name: str) -> None:
        draw = SCALED[name]
        assert draw(width="double").get_figwidth() == figures.DOUBLE_COLUMN
        assert draw(width="single").get_figwidth() == figures.SINGLE_COLUMN


@pytest.mark.parametrize("width", ["triple", 0.0, -1.0, float("inf"), float("nan")])
def test_another_width_is_refused(width: object) -> None:
    with pytest.raises(ConfigError, match="expected inches, or one of single, double"):
        style.inches(width)  # type: ignore[arg-type]


def test_factors_differ_in_more_than_colour() -> None:
    points, lines = palette.FACTOR_POINTS, palette.FACTOR_LINES
    assert len({look["marker"] for look in points.values()}) == 3
    strokes = {(str(look.get("linestyle")), look["linewidth"]) for look in lines.values()}
    assert len(strokes) == len(lines) == 4
    for sight in SIGHTS.values():
        for first, second in itertools.combinations(palette.COLOURS.values(), 2):
            assert apart(first, second, sight) > 30


def test_what_the_paper_prunes_by_is_told_apart_in_grey_and_by_the_colour_blind() -> None:
    colours = [palette.score_look(name)["color"] for name in CRITERIA]
    for first, second in itertools.combinations(colours, 2):
        assert abs(lab(first)[0] - lab(second)[0]) > 10
        assert min(apart(first, second, sight) for sight in SIGHTS.values()) > 20


def test_no_two_scores_of_the_package_look_alike_nor_any_score_like_a_factor() -> None:
    known = palette._KNOWN
    assert len({(look["color"], str(look["linestyle"])) for look in known.values()}) == len(known)
    published = [palette.score_look(name) for name in palette._PUBLISHED]
    assert len({look["marker"] for look in published}) == len(published)
    inks = {look["color"] for look in known.values()}
    groups = {look["color"] for look in palette.GROUPS} - {"#7F7F7F"}  # random, too
    assert not inks & (groups | set(palette.COLOURS.values()))
    assert not groups & set(palette.COLOURS.values())


def test_groups_have_a_marker_each_and_scores_of_ones_own_never_look_like_known_ones() -> None:
    assert len({look["marker"] for look in palette.GROUPS}) == len(palette.GROUPS)
    mine = palette.score_looks(["snr", *(f"mine_{at}" for at in range(12))])
    looks = {(look["color"], str(look["linestyle"])) for look in mine.values()}
    others = [look for name, look in palette._KNOWN.items() if name != "snr"]
    assert len(looks) == 13
    assert not looks & {(look["color"], str(look["linestyle"])) for look in others}


def test_every_ink_stands_out_from_paper() -> None:
    looks = [*palette._KNOWN.values(), *palette.GROUPS]
    for colour in [*(look["color"] for look in looks), *palette.COLOURS.values()]:
        assert lab(colour)[0] < 75


def test_ranks_keep_their_order_in_grey_and_end_in_ink() -> None:
    shades = [lab(mpl.colormaps[palette.RANKS](at))[0] for at in np.linspace(0, 1, 64)]
    assert (np.diff(shades) < 0).all()
    assert shades[0] > 80
    assert shades[-1] < 20


@pytest.mark.parametrize("name", ["ranks", "planted heatmap", "rank panels", "rank distances"])
def test_ranks_and_distances_share_one_colour_map(name: str) -> None:
    mesh = DRAWINGS[name]().axes[0].collections[0]
    assert mesh.get_cmap().name == palette.RANKS


@pytest.mark.parametrize("name", ["correlation", "shadow overlap"])
def test_only_what_has_a_sign_diverges_and_around_zero(name: str) -> None:
    mesh = DRAWINGS[name]().axes[0].collections[0]
    assert (mesh.get_cmap().name, sum(mesh.get_clim())) == (palette.SIGNED, 0)


def test_one_score_has_one_colour_in_all_figures() -> None:
    colour = palette.score_look("snr")["color"]
    churn = DRAWINGS["shadow churn"]().axes[0].lines
    curves = DRAWINGS["planted recall"]().axes[1].lines
    losses = DRAWINGS["oracle"]().axes[2].lines
    for lines in (churn, curves, losses):
        (line,) = (line for line in lines if line.get_label() == "|μ|/σ")
        assert (line.get_color(), line.get_marker()) == (colour, "o")
    parts = DRAWINGS["decomposition"]().axes[0].containers
    inks = [palette.score_look(name)["color"] for name in ("mean_abs", "inverse_std")]
    assert [to_rgb(part[0].get_facecolor()) for part in parts[:2]] == [*map(to_rgb, inks)]
