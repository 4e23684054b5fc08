"""The figure of step times shows the numbers of its frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.analysis.speed_steps import KNOWN, PHASES, steps
from vilora_analysis import analysis, figures
from vilora_analysis.errors import ConfigError


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = steps(KNOWN, noise=0.05)
    return analysis.speed_summary(frame, repeats=50), analysis.speed_split(frame)


def test_points_and_intervals_are_those_of_the_summary(
    frames: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    summary, split = frames
    left, _ = figures.step_times(summary, split, paper=25.0, caption="somewhere").axes
    assert [text.get_text() for text in left.get_yticklabels()] == list(KNOWN)
    points = {line.get_label(): line.get_xdata() for line in left.lines}
    for when, label in (
        ("prunes", "step that prunes"),
        ("between", "step between"),
        ("average", "average, 95% interval"),
    ):
        assert points[label].tolist() == summary.loc[summary["when"] == when, "ratio"].tolist()
    average = summary[summary["when"] == "average"]
    (bars,) = left.collections
    ends = np.array([segment[:, 0] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, average[["low", "high"]].to_numpy())
    at = {float(line.get_xdata()[0]) for line in left.lines if len(line.get_xdata()) == 2}
    assert at == {1.0, 0.8}  # 25% faster is a step in 1/1.25 of the time


def test_bars_are_the_parts_in_milliseconds_one_after_the_other(
    frames: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    summary, split = frames
    _, right = figures.step_times(summary, split).axes
    names = {"update": "optimizer"}
    ends = np.zeros(len(KNOWN))
    by_label = {bars.get_label(): bars for bars in right.containers}
    for phase in PHASES:
        bars = by_label[names.get(phase, phase)]
        widths = split.loc[split["phase"] == phase, "ms"].to_numpy()
        np.testing.assert_allclose([bar.get_width() for bar in bars], widths)
        np.testing.assert_allclose([bar.get_x() for bar in bars], ends)
        ends = ends + widths


def test_nothing_is_refused(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    summary, split = frames
    with pytest.raises(ConfigError, match="no steps to draw"):
        figures.step_times(summary.iloc[:0], split)
