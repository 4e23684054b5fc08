"""What the figures of the planted ranks show, from frames of known numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from tests.figures.frames import cells_of, texts_drawn
from vilora_analysis.errors import ConfigError
from vilora_analysis.figures import planted_heatmap, planted_recall
from vilora_analysis.figures.palette import score_look

LABELS = {"snr": "|μ|/σ", "mean_abs": "|μ|", "sensitivity": "Ī·Ū"}
MEANS = {"mean_abs": 0.3, "snr": 0.7, "sensitivity": 0.6, "oracle": 0.8, "chance": 0.1}


def summary(seeds: int = 3) -> pd.DataFrame:
    rows = [
        {"step": step, "multiple": multiple, "measure": measure, "score": name, "seeds": seeds}
        | {"mean": mean * multiple if measure == "recall" else mean / multiple}
        for step in (10, 20)
        for multiple in (0.5, 1.0)
        for measure in ("precision", "recall", "f1")
        for name, mean in MEANS.items()
    ]
    frame = pd.DataFrame(rows).assign(against="nothing")
    frame.loc[frame["step"] == 10, "mean"] = 0.0
    spread = np.nan if seeds == 1 else 0.05
    frame = frame.assign(low=frame["mean"] - spread, high=frame["mean"] + spread)
    return pd.concat([frame, frame.assign(against="chance", mean=9.0)], ignore_index=True)


def ranks(sources: tuple[str, ...] = ("planted", "oracle", "snr")) -> pd.DataFrame:
    modules = [("b", "W_k", 1), ("a", "W_q", 0), ("c", "W_q", 1), ("d", "pooler.dense", None)]
    rows = [
        {"module": name, "matrix": matrix, "layer": layer, "source": source}
        | {"rank": {"planted": 3 * (name == "b"), "oracle": 2}.get(source, at)}
        for source in sources
        for at, (name, matrix, layer) in enumerate(modules)
    ]
    return pd.DataFrame(rows).astype({"layer": "Int16"})


def names_of(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def test_the_best_score_is_on_top_with_its_interval() -> None:
    left, _ = planted_recall(summary(), LABELS).axes
    assert names_of(left) == ["|μ|", "Ī·Ū", "|μ|/σ"]
    points = [line for line in left.lines if line.get_linestyle() == "None"]
    assert [line.get_xdata()[0] for line in points] == [0.3, 0.6, 0.7]
    looks = [(line.get_color(), line.get_marker()) for line in points]
    known = map(score_look, ("mean_abs", "sensitivity", "snr"))
    assert looks == [(look["color"], look["marker"]) for look in known]
    (intervals,) = left.collections
    ends = [segment[:, 0].tolist() for segment in intervals.get_segments()]
    assert np.ravel(ends) == pytest.approx([0.25, 0.35, 0.55, 0.65, 0.65, 0.75])


def test_oracle_and_chance_are_lines() -> None:
    left, _ = planted_recall(summary(), LABELS).axes
    assert {line.get_label(): line.get_xdata()[0] for line in left.lines[:2]} == {
        "oracle": 0.8,
        "chance": 0.1,
    }


def test_one_seed_is_drawn_without_intervals() -> None:
    left, _ = planted_recall(summary(1), LABELS).axes
    (intervals,) = left.collections
    assert len(intervals.get_segments()) == 0
    assert left.get_xlim()[0] == 0


def test_curves_run_over_the_budgets() -> None:
    _, right = planted_recall(summary(), LABELS, curves=("snr", "not there")).axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in right.lines}
    assert list(drawn) == ["|μ|/σ", "oracle", "chance"]
    assert np.ravel(drawn["|μ|/σ"]) == pytest.approx([0.35, 1.4, 0.7, 0.7])


def test_a_column_a_module_in_the_order_of_the_model() -> None:
    axes = planted_heatmap(ranks(), LABELS).axes[0]
    assert names_of(axes) == ["planted", "oracle", "|μ|/σ"]
    cells = cells_of(axes)
    by_column = {column: cells["|μ|/σ", column] for _, column in cells}
    assert by_column == {
        "1 $W_{q}$": "1",
        "2 $W_{q}$": "2",
        "2 $W_{k}$": "0",
        "pooler.dense": "3",
    }
    assert cells["planted", "2 $W_{k}$"] == "3"


def test_planted_modules_are_framed() -> None:
    axes = planted_heatmap(ranks(), LABELS).axes[0]
    (frame,) = (patch for patch in axes.patches if isinstance(patch, Rectangle))
    assert (frame.get_x(), frame.get_height()) == (2, 3)


def test_nothing_to_draw_is_said() -> None:
    few = summary()
    with pytest.raises(ConfigError, match="no recall at the planted budget"):
        planted_recall(few[few["multiple"] != 1], LABELS)
    with pytest.raises(ConfigError, match="no rows of source 'planted'"):
        planted_heatmap(ranks(("snr",)), LABELS)


@pytest.mark.parametrize("name", ["recall", "heatmap"])
def test_all_type_is_legible_and_apart(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    twenty = [f"score_{i}" for i in range(20)]
    matrices = ("W_q", "W_k", "W_v", "W_o", "W_f1", "W_f2")
    if name == "recall":
        one = summary()[lambda frame: frame["score"] == "snr"]
        parts = [
            one.assign(score=score, mean=one["mean"] * i / 20) for i, score in enumerate(twenty)
        ]
        figure = planted_recall(pd.concat([summary(), *parts]), LABELS, caption="seeds; " * 30)
    else:
        rows = [
            {"module": f"{layer}.{matrix}", "matrix": matrix, "layer": layer, "rank": layer}
            for layer in range(6)
            for matrix in matrices
        ]
        parts = [pd.DataFrame(rows).assign(source=source) for source in ("planted", "snr", "x")]
        figure = planted_heatmap(pd.concat(parts), LABELS, caption="seed-0")
    texts = texts_drawn(figure, monkeypatch)
    assert min(text.get_fontsize() for text in texts) >= 5
    level = [box for text, box in texts.items() if text.get_rotation() in (0.0, 90.0)]
    for first, second in itertools.combinations(level, 2):
        assert not first.padded(-0.5).overlaps(second.padded(-0.5))
