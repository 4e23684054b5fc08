"""The figure of the posterior's health shows the frames, and what does not vary as such."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tests.figures.frames import health, pixels_of
from vilora_analysis import figures
from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.style import COLOURS


def line_of(figure: Figure, panel: int, label: str) -> Line2D:
    (line,) = (line for line in figure.axes[panel].lines if line.get_label() == label)
    return line


@pytest.mark.parametrize(("panel", "column"), [(0, "sigma"), (1, "hess")])
def test_every_triplet_is_a_point_in_the_row_of_its_factor(panel: int, column: str) -> None:
    points, over_time = health()
    axes = figures.posterior_health(points, over_time).axes[panel]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["E", "A", "B"]
    for row, (collection, factor) in enumerate(zip(axes.collections, "EAB", strict=True)):
        x, y = np.asarray(collection.get_offsets()).T
        assert x.tolist() == points.loc[points["factor"] == factor, column].tolist()
        assert (np.abs(y - row) < 0.31).all()
        median = axes.lines[row].get_xdata()
        assert set(np.asarray(median)) == {np.median(x)}
    bottom, top = axes.get_ylim()
    assert bottom > 2.45
    assert top < -0.45


def test_the_initial_value_of_h_is_marked_and_in_sight() -> None:
    points, over_time = health()
    figure = figures.posterior_health(points.assign(hess_init=1e-9), over_time)
    assert set(line_of(figure, 1, "initial value").get_xdata()) == {1e-9}
    low, high = figure.axes[1].get_xlim()
    assert low < 1e-9
    assert high > points["hess"].max()


def test_where_it_is_not_known_none_is() -> None:
    points, over_time = health()
    lost = over_time.assign(initial_left=np.nan, initial_share=np.nan)
    figure = figures.posterior_health(points.assign(hess_init=np.nan), lost)
    assert [line.get_label() for line in figure.axes[1].lines].count("initial value") == 0
    assert pixels_of(figure)


@pytest.mark.parametrize(("panel", "column"), [(2, "sigma_cv"), (3, "initial_share")])
def test_lines_are_those_of_the_frame_in_the_factors_colours(panel: int, column: str) -> None:
    points, over_time = health()
    figure = figures.posterior_health(points, over_time)
    for factor in "EAB":
        line, rows = line_of(figure, panel, factor), over_time[over_time["factor"] == factor]
        assert line.get_xdata().tolist() == rows["step"].tolist()
        assert line.get_ydata().tolist() == rows[column].tolist()
        assert line.get_color() == COLOURS[factor]
    assert set(line_of(figure, panel, "step 20").get_xdata()) == {20}


def test_what_the_decay_left_is_a_line_too() -> None:
    points, over_time = health()
    line = line_of(figures.posterior_health(points, over_time), 3, r"left of it, $\beta_2^t$")
    np.testing.assert_allclose(line.get_ydata(), 0.95 ** np.asarray(line.get_xdata()))


@pytest.mark.parametrize("panel", [0, 1])
def test_what_does_not_vary_looks_like_it(panel: int) -> None:
    points, over_time = health()
    figure = figures.posterior_health(points.assign(sigma=0.1, hess=0.3, hess_init=0.3), over_time)
    low, high = figure.axes[panel].get_xlim()
    assert np.log10(high / low) >= 2


def test_a_variation_of_nothing_at_all_can_be_drawn() -> None:
    points, over_time = health()
    figure = figures.posterior_health(points, over_time.assign(sigma_cv=0.0))
    assert pixels_of(figure)


def test_lora_has_two_rows_and_the_caption_stands_below() -> None:
    points, over_time = (frame[frame["factor"] != "E"] for frame in health())
    figure = figures.posterior_health(points, over_time, caption="sigma is uniform.")
    assert len(figure.axes[0].collections) == 2
    assert figure.get_supxlabel() == "sigma is uniform."


def test_points_of_several_steps_are_refused() -> None:
    points, over_time = health()
    points.loc[0, "step"] = 7
    with pytest.raises(ConfigError, match="expected points of one step, got 7, 20"):
        figures.posterior_health(points, over_time)
