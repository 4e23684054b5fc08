"""What the forest shows, from a frame of known numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.axes import Axes

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures import claims_forest, save

BLANK: dict[str, Any] = {
    "claim": "C1",
    "statement": "snr no worse than sensitivity",
    "evidence": "runs pruned by each criterion",
    "task": "sst2",
    "n_pairs": 6,
    "effect": 0.25,
    "unit": "points",
    "low": -0.25,
    "high": 1.0,
    "interval": "sign-flip",
    "reference": 0.0,
    "margin": 0.5,
    "verdict": "supported",
}
NOTHING = {"n_pairs": 0, "effect": math.nan, "low": math.nan, "high": math.nan, "interval": ""}


def forest(*rows: dict[str, Any]) -> tuple[Axes, Axes, Axes]:
    left, middle, right = claims_forest(pd.DataFrame([BLANK | row for row in rows])).axes
    return left, middle, right


def drawn(axes: Axes) -> list[list[list[float]]]:
    """Data of all lines but the one at 0."""
    return [line.get_xydata().tolist() for line in axes.lines[1:]]  # type: ignore[union-attr]


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_effect_and_interval_are_in_margins() -> None:
    _, axes, right = forest({})
    assert drawn(axes) == [[[-0.5, 0.0], [2.0, 0.0]], [[0.5, 0.0]]]
    assert "+0.25 [−0.25, 1] points" in words(right)
    assert {"6", "supported"} <= set(words(right))


def test_they_are_measured_from_the_reference() -> None:
    _, axes, _ = forest({"effect": 0.6, "low": 0.55, "high": 0.7, "reference": 0.5, "margin": 0.1})
    (_, [[value, _]]) = drawn(axes)
    assert value == pytest.approx(1.0)


def test_what_lies_beyond_the_axis_is_an_arrow() -> None:
    _, axes, _ = forest({"effect": 9.0, "low": 1.0, "high": 12.0})
    interval, beyond, value = axes.lines[1:]
    assert interval.get_xydata().tolist() == [[2.0, 0.0], [4.0, 0.0]]  # type: ignore[union-attr]
    assert (beyond.get_marker(), value.get_marker()) == (">", ">")


def test_students_interval_is_dotted_for_it_decides_nothing() -> None:
    _, axes, _ = forest({"interval": "t"}, {"interval": "sign-flip"})
    styles = [line.get_linestyle() for line in axes.lines[1:] if len(line.get_xydata()) == 2]  # type: ignore[arg-type]
    assert styles == [":", "-"]


def test_what_was_not_tested_has_words_only() -> None:
    left, axes, right = forest(NOTHING | {"verdict": "not testable"})
    assert drawn(axes) == []
    assert words(left) == ["C1", "snr no worse than sensitivity"]
    assert words(right)[-3:] == ["–", "–", "not testable"]


def test_a_claim_is_named_once_and_a_shadow_is_marked() -> None:
    shadow = {"evidence": "shadow of one run a seed", "statement": "the same sets"}
    left, _, _ = forest({}, {}, shadow | {"claim": "C4"})
    assert [word for word in words(left) if word] == [
        "C1",
        "snr no worse than sensitivity",
        "snr no worse than sensitivity",
        "C4",
        "the same sets [shadow]",
    ]


def test_verdicts_are_told_apart_in_grey_too() -> None:
    verdicts = ("supported", "not supported", "underpowered")
    _, axes, _ = forest(*({"verdict": word, "interval": ""} for word in verdicts))
    markers = [line.get_marker() for line in axes.lines if len(line.get_xydata()) == 1]  # type: ignore[arg-type]
    assert len(set(markers)) == 3


def test_one_pair_has_no_interval_and_is_written(tmp_path: Path) -> None:
    rows = [BLANK | {"n_pairs": 1, "low": math.nan, "high": math.nan, "interval": ""}, BLANK]
    figure = claims_forest(pd.DataFrame(rows), caption="A row a test.")
    assert "+0.25 points" in words(figure.axes[2])
    assert all(file.stat().st_size > 1000 for file in save(figure, tmp_path / "forest"))


def test_several_tasks_or_none_are_refused() -> None:
    frame = pd.DataFrame([BLANK, BLANK | {"task": "rte"}])
    with pytest.raises(ConfigError, match="got sst2, rte"):
        claims_forest(frame)
    with pytest.raises(ConfigError, match="got none"):
        claims_forest(frame.iloc[:0])
