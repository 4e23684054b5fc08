"""The figure of h's equilibrium shows the frames: points on one diagonal, and bars of shares."""

from __future__ import annotations

import numpy as np
import pytest

from tests.figures.frames import equilibrium, pixels_of
from vilora_analysis import figures


def test_points_are_those_of_the_frame_on_equal_axes() -> None:
    points, shares = equilibrium()
    figure = figures.hessian_equilibrium(points, shares)
    for axes, factor in zip(figure.axes[:3], "EAB", strict=True):
        assert axes.get_xscale() == axes.get_yscale() == "log"
        assert axes.get_xlim() == axes.get_ylim()
        for run, collection in zip(("run 0", "run 1", "run 2"), axes.collections, strict=True):
            own = points[(points["run"] == run) & (points["factor"] == factor)]
            expected = own[["predicted", "hess"]].to_numpy()
            np.testing.assert_allclose(np.asarray(collection.get_offsets()), expected)
        assert axes.texts[0].get_text() == f"{factor}\nmean ratio 0.90 to 1.10"


def test_bars_add_up_and_a_negative_rest_lies_left_of_zero() -> None:
    points, shares = equilibrium()
    figure = figures.hessian_equilibrium(points, shares)
    for axes in figure.axes[3:]:
        lengths = np.array([[bar.get_width() for bar in group] for group in axes.containers])
        np.testing.assert_allclose(lengths.sum(axis=0), 1)
        starts = np.array([[bar.get_x() for bar in group] for group in axes.containers])
        np.testing.assert_allclose(starts[:, 0], [0, 0.3, 0.9])
        np.testing.assert_allclose(starts[:, 1], [0, 0.3, 0])
        np.testing.assert_allclose(lengths[2], [0.1, -0.1, 0.1])


def test_runs_are_named_by_their_settings() -> None:
    figure = figures.hessian_equilibrium(*equilibrium())
    labels = [label.get_text() for label in figure.axes[3].get_yticklabels()]
    assert labels[0] == r"$\beta_2$ 0.9, $\lambda$ 1e6, $h_0$ 0.1"
    assert len(set(labels)) == 3


def test_one_run_of_two_factors_and_many_runs_can_be_drawn() -> None:
    points, shares = equilibrium(runs=1, factors="AB")
    figure = figures.hessian_equilibrium(points, shares)
    assert len(figure.axes) == 4
    assert figure.axes[0].texts[0].get_text() == "A\nmean ratio 1.10"
    tall = figures.hessian_equilibrium(*equilibrium(runs=12))
    assert tall.get_size_inches()[1] > figure.get_size_inches()[1] + 1
    assert pixels_of(tall)


def test_values_without_a_logarithm_are_left_out() -> None:
    points, shares = equilibrium()
    points.loc[points.index[:3], "hess"] = [0.0, -1.0, 0.0]
    figure = figures.hessian_equilibrium(points, shares)
    assert len(np.asarray(figure.axes[0].collections[0].get_offsets())) == 27
    assert figure.axes[0].get_xlim()[0] > 0


@pytest.mark.parametrize(
    ("caption", "set_as"),
    [("", ""), ("1/sigma is the term, -3% of it.", "1/σ is the term, −3% of it.")],
)
def test_the_caption_stands_below(caption: str, set_as: str) -> None:
    figure = figures.hessian_equilibrium(*equilibrium(), caption=caption)
    assert figure.get_supxlabel() == set_as
