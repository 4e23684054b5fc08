"""The figure of what snr is made of shows the frame, negative shares and gaps included."""

from __future__ import annotations

import numpy as np
import pytest

from tests.figures.frames import decomposition, pixels_of
from vilora_analysis import figures
from vilora_analysis.errors import ConfigError


def test_bars_are_the_shares_of_the_frame() -> None:
    frame = decomposition()
    frame = frame[frame["step"] == 4]
    figure = figures.snr_decomposition(frame)
    assert len(figure.axes) == 2
    for axes, measure, parts in zip(
        figure.axes, ("share", "rank"), (("mu", "sigma", "rest"), ("mu", "sigma")), strict=True
    ):
        assert [t.get_text() for t in axes.get_yticklabels()] == ["E", "A", "B", "whole\ntriplet"]
        for group, part in zip(axes.containers, parts, strict=True):
            drawn = [bar.get_width() for bar in group]
            np.testing.assert_allclose(drawn, frame[f"{measure}_{part}"].fillna(0))
    against = figure.axes[0].containers[1][1]
    assert (against.get_x(), against.get_width()) == (0, -0.4)
    low, high = figure.axes[0].get_xlim()
    assert low < -0.4
    assert high > 1.3


def test_what_cannot_be_told_is_said() -> None:
    figure = figures.snr_decomposition(decomposition().query("step == 4"))
    for axes in figure.axes:
        assert "snr does not vary" in [text.get_text() for text in axes.texts]


def test_numbers_stand_on_their_bars() -> None:
    figure = figures.snr_decomposition(decomposition().query("step == 4"))
    texts = {t.get_text(): t.get_position() for t in figure.axes[0].texts}
    assert texts["130"] == pytest.approx((0.65, 1))
    assert texts["−40"] == pytest.approx((-0.2, 1))


def test_lines_are_the_magnitudes_share_by_step() -> None:
    frame = decomposition()
    figure = figures.snr_decomposition(frame[frame["step"] == 4], frame, caption="so.")
    axes = figure.axes[2]
    for line, factor in zip(axes.lines, ("E", "A", "B", "all"), strict=False):
        own = frame[frame["factor"] == factor]
        np.testing.assert_array_equal(line.get_xdata(), own["step"])
        np.testing.assert_array_equal(line.get_ydata(), own["share_mu"])
    assert set(axes.lines[-1].get_xdata()) == {4}
    assert figure.get_supxlabel() == "so."
    assert pixels_of(figure)


def test_several_steps_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected the rows of one step, got 1, 2"):
        figures.snr_decomposition(decomposition().query("step < 3"))
