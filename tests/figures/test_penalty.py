"""What is drawn of penalty and budget is what the frame says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from vilora_analysis import figures
from vilora_analysis.errors import ConfigError


def frame() -> pd.DataFrame:
    l1 = pd.DataFrame(
        {"penalty": [1e-2, 1e-4, 1e-3], "rank": [3, 220, 150], "value": [0.6, 0.8, np.nan]}
    )
    budget = pd.DataFrame({"budget": [74, 148], "rank": [74, 148], "value": [0.7, 0.75]})
    both = pd.concat([l1.assign(allocation="l1"), budget.assign(allocation="budget")])
    return both.assign(n_triplets=222, metric="accuracy", lowest=both["rank"] - 2).astype(
        {"budget": "Int64"}
    )


def test_points_and_budgets_are_those_of_the_frame() -> None:
    left, right = figures.penalty_rank(frame()).axes
    line, low = [line for line in left.lines if line.get_marker() == "o"]
    assert low.get_ydata().tolist() == [218, 148, 1]
    assert line.get_xdata().tolist() == [1e-4, 1e-3, 1e-2]
    assert line.get_ydata().tolist() == [220, 150, 3]
    assert left.get_xscale() == "log"
    heights = {float(line.get_ydata()[0]) for line in left.lines if line.get_marker() != "o"}
    assert heights == {222.0, 74.0, 148.0}
    points, reference = right.lines
    assert sorted(points.get_xdata().tolist()) == [3, 220]  # of one the result is missing
    assert reference.get_ydata().tolist() == [0.7, 0.75]
    assert {text.get_text() for text in right.texts} == {"0.01", "0.0001", "(b)"}
    assert right.get_ylabel() == "accuracy"
    assert not same_color(points.get_color(), reference.get_color())


def test_penalties_alone_are_drawn_and_budgets_alone_refused() -> None:
    known = frame()
    assert len(figures.penalty_rank(known[known["allocation"] == "l1"]).axes) == 2
    with pytest.raises(ConfigError, match="no run with a penalty"):
        figures.penalty_rank(known[known["allocation"] == "budget"])
