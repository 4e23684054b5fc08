"""What the oracle's figure shows, from frames of known numbers."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures import oracle_scores

LABELS = {"snr": "|μ|/σ", "mean_abs": "|μ|"}


def agreement() -> pd.DataFrame:
    rows = [("snr", 0.6, 0.5, 0.7), ("mean_abs", -0.1, -0.3, 0.1)]
    frame = pd.DataFrame(rows, columns=["score", "value", "low", "high"])
    others = frame.assign(measure="recall", value=0.9)
    whole = pd.concat([frame.assign(measure="spearman"), others]).assign(chance=0.0, triplets=9)
    # in the other target the order is the other way round
    turned = whole.assign(value=-whole["value"], low=-whole["high"], high=-whole["low"])
    return pd.concat([turned.assign(target="signed"), whole.assign(target="moved")])


def regret() -> pd.DataFrame:
    rows = [
        (order, removed, base + removed)
        for order, base in (("snr", 0.2), ("mean_abs", 0.4), ("oracle", 0.1), ("random", 0.8))
        for removed in (3, 6)
    ]
    frame = pd.DataFrame(rows, columns=["order", "removed", "loss"])
    return frame.assign(spread=0.25, right=0.5, regret=0.0)


def test_the_best_is_on_top_with_its_interval() -> None:
    signed, moved, _ = oracle_scores(agreement(), regret(), LABELS).axes
    assert [label.get_text() for label in signed.get_yticklabels()] == ["|μ|", "|μ|/σ"]
    assert signed.lines[2].get_xydata().tolist() == [[0.1, 0.0]]
    drawn = [line.get_xydata().tolist() for line in moved.lines[1:]]
    assert drawn == [
        [[-0.3, 0.0], [0.1, 0.0]],
        [[-0.1, 0.0]],
        [[0.5, 1.0], [0.7, 1.0]],
        [[0.6, 1.0]],
    ]


def test_the_ceiling_is_drawn_where_it_is_known() -> None:
    ceilings = {"signed": float("nan"), "moved": 0.8}
    without, with_it, _ = oracle_scores(agreement(), regret(), LABELS, ceilings=ceilings).axes
    assert len(with_it.lines) == len(without.lines) + 1
    assert with_it.lines[-1].get_xdata()[0] == 0.8


def test_losses_are_a_line_a_score_and_a_band_for_chance() -> None:
    figure = oracle_scores(agreement(), regret(), LABELS)
    right, (legend,) = figure.axes[-1], figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["random (±1 s.d.)", "oracle: least helpful first", "|μ|/σ", "|μ|"]
    assert [line.get_ydata().tolist() for line in right.lines] == [
        [3.1, 6.1],
        [3.2, 6.2],
        [3.4, 6.4],
    ]
    (band,) = (item for item in right.collections if isinstance(item, PolyCollection))
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((3.55, 7.05))


def test_markers_and_colours_tell_the_scores_apart() -> None:
    right = oracle_scores(agreement(), regret(), LABELS).axes[-1]
    looks = {(line.get_color(), line.get_marker()) for line in right.lines[1:]}
    assert len(looks) == 2


def test_only_the_losses_of_the_scores_shown_are_drawn() -> None:
    figure = oracle_scores(agreement(), regret(), LABELS, targets=["moved"], shown=["snr"])
    axes, (legend,) = figure.axes, figure.legends
    assert len(axes) == 2
    assert [text.get_text() for text in legend.get_texts()][-1] == "|μ|/σ"
    assert axes[0].lines[2].get_color() == "0.45"


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ConfigError, match="no scores to draw"):
        oracle_scores(agreement().iloc[:0], regret(), LABELS)
