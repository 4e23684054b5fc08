"""What the bridge's figure shows, from frames of known numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures import score_bridge

SWAPS = ("uncertainty", "horizon", "norm", "weight", "curvature")


def frame(*, shift: float = 0.0) -> pd.DataFrame:
    rows = [
        {
            "step": 9,
            "part": part,
            "swap": swap,
            "nearer": i / 10 + shift,
            "least": -0.2,
            "most": 0.9,
        }
        | {"moved": i / 5, "apart": 1.0}
        for part in ("all", "E")
        for i, swap in enumerate(SWAPS)
    ]
    return pd.DataFrame(rows)


def test_bars_are_means_of_the_runs_of_a_group_and_points_the_runs() -> None:
    runs = pd.concat([frame(), frame(shift=0.2)]).assign(run="live")
    left, right = score_bridge(runs).axes
    assert [bar.get_width() for bar in left.patches] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert [bar.get_width() for bar in right.patches] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    points = [line.get_xdata().tolist() for line in left.lines if line.get_marker() == "o"]
    assert points[1] == pytest.approx([0.1, 0.3])


def test_lines_go_from_the_least_to_the_most_in_any_order() -> None:
    left, _ = score_bridge(frame()).axes
    assert left.lines[0].get_xdata().tolist() == [-0.2, 0.9]


def test_ingredients_stand_from_top_to_bottom_in_words() -> None:
    left, _ = score_bridge(frame()).axes
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels[0] == "drop the product with Ū"
    assert labels[-1] == "squared gradient to IVON's h"
    assert left.yaxis_inverted()


def test_groups_have_a_legend_and_one_alone_has_none() -> None:
    two = pd.concat([frame().assign(run="a"), frame().assign(run="b")])
    _, right = score_bridge(two).axes
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["a", "b"]
    assert score_bridge(frame()).axes[1].get_legend() is None


def test_nothing_to_draw_and_too_many_groups_are_said() -> None:
    with pytest.raises(ConfigError, match="1 to 4 groups in column 'run'"):
        score_bridge(frame().iloc[:0])
    many = pd.concat([frame().assign(run=str(i)) for i in range(5)])
    with pytest.raises(ConfigError, match="got 5"):
        score_bridge(many)
