"""Each panel shows its link with the line where it would hold; the last one, the training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures import example_fisher_scatter, save

LABELS = [
    ("hess~fisher_example", "x of a", "y of a"),
    ("fisher_batch~fisher_example", "x of b", "y of b"),
    ("recent_square~law", "x of c", "y of c"),
]
EXPECTED = {"hess~fisher_example": 1.0, "fisher_batch~fisher_example": 0.25}


def points(step: int = 20) -> pd.DataFrame:
    x = np.array([0.0, 1e-3, 1e-1, 10.0])
    rows = [
        {"link": link, "factor": factor, "x": value, "y": ratio * value}
        for link, ratio in EXPECTED.items()
        for factor in "EAB"
        for value in x
    ]
    frame = pd.DataFrame(rows).assign(source="training", step=step)
    return frame.assign(expected_ratio=frame["link"].map(EXPECTED))


def fits(steps: tuple[int, ...] = (10, 20)) -> pd.DataFrame:
    rows = [
        {"link": link, "factor": factor, "step": step, "ratio": ratio * step, "spearman": 0.5}
        for link, ratio in EXPECTED.items()
        for step in steps
        for factor in "EAB"
    ]
    frame = pd.DataFrame(rows).assign(source="training")
    expected = frame["link"].map(EXPECTED)
    low, high = frame["ratio"] / 2, frame["ratio"] * 2
    return frame.assign(expected_ratio=expected, ratio_low=low, ratio_high=high)


def visible(figure: object) -> list:
    return [axes for axes in figure.axes if axes.get_visible()]


def test_a_panel_a_link_that_has_points_and_one_for_the_training() -> None:
    panels = visible(example_fisher_scatter(points(), fits(), LABELS))
    assert [axes.get_xlabel() for axes in panels] == ["x of a", "x of b", "step"]
    for axes in panels[:2]:
        drawn = [c for c in axes.collections if isinstance(c, PathCollection)]
        # what is 0 has no logarithm
        assert [len(c.get_offsets()) for c in drawn] == [3, 3, 3]
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_the_line_is_where_the_link_would_hold_exactly() -> None:
    for axes, ratio in zip(
        visible(example_fisher_scatter(points(), fits(), LABELS))[:2],
        EXPECTED.values(),
        strict=True,
    ):
        (line,) = axes.lines
        np.testing.assert_allclose(line.get_ydata() / line.get_xdata(), ratio)
        assert line.get_label() == f"claimed: ratio {ratio:.2g}"


def test_no_line_where_the_ratio_is_unknown() -> None:
    panels = visible(example_fisher_scatter(points().assign(expected_ratio=np.nan), fits(), LABELS))
    assert len(panels[0].lines) == 0


def test_ratios_over_the_training_are_over_what_is_claimed() -> None:
    *_, axes = visible(example_fisher_scatter(points(), fits(), LABELS))
    lines = [line for line in axes.lines if line.get_marker() != "None"]
    assert [line.get_marker() for line in lines] == ["^", "o", "s"] * 2
    for line in lines:
        assert np.asarray(line.get_xdata()).tolist() == [10, 20]
        np.testing.assert_allclose(line.get_ydata(), [10, 20])


def test_one_measurement_has_no_panel_over_time() -> None:
    assert len(visible(example_fisher_scatter(points(), fits((20,)), LABELS))) == 2


def test_the_legend_has_the_numbers_of_the_step_that_is_drawn() -> None:
    axes = visible(example_fisher_scatter(points(10), fits(), LABELS))[0]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[0] == r"E: $\rho$ = 0.50, ratio 10"


def test_points_of_several_measurements_are_refused() -> None:
    with pytest.raises(ConfigError, match="got 2; choose"):
        example_fisher_scatter(pd.concat([points(10), points(20)]), fits(), LABELS)


def test_it_is_written(tmp_path: object) -> None:
    figure = example_fisher_scatter(points(), fits(), LABELS, caption="said below")
    assert all(path.stat().st_size > 5000 for path in save(figure, tmp_path / "fisher"))
