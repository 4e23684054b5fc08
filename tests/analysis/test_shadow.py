"""What every score would have kept is the allocator's own rule, decision by decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.log.synthetic import Written, decision, modules, write_run
from vilora_analysis import analysis
from vilora_analysis.allocation import select
from vilora_analysis.analysis.shadow import deciding, sets
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, open_run

SCORES = ("snr", "mean_abs")
ROWS = modules(1, ("W_o",), rank=2)  # two triplets of a layer and two of the pooler

tied = arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 12)),
    elements=st.sampled_from([-1.0, -0.0, 0.0, 1.0, 2.0, 1e-45]),
)


def shadow_run(
    path: Path,
    values: Mapping[str, Any],
    budgets: Mapping[int, int],
    kept: Any = True,
    steps: Sequence[int] | None = None,
    **described: Any,
) -> Written:
    """A run with these scores, and a decision at each of these steps."""
    return write_run(
        path,
        steps=sorted(budgets) if steps is None else steps,
        columns={f"score.{name}": value for name, value in values.items()},
        kept=kept,
        events=[decision(step, budget=budget) for step, budget in budgets.items()],
        **{"rows": ROWS, "scores": tuple(values), **described},
    )


def small_run(path: Path) -> Run:
    """Two scores that swap their favourites: budgets 4, 3, 2 of 4 triplets, kept by the first."""
    snr = [[4, 3, 2, 1], [4, 3, 2, 1], [4, 1, 2, 3]]
    mean_abs = [[1, 2, 3, 4], [1, 2, 3, 4], [4, 3, 2, 1]]
    kept = [[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 1]]
    values = {"snr": snr, "mean_abs": mean_abs}
    return open_run(shadow_run(path, values, {2: 4, 3: 3, 5: 2}, np.array(kept, dtype=bool)).path)


def all_sets(run: Run, steps: Any = None, budget: int | None = None) -> dict[str, list[list[int]]]:
    """Positions kept, by name and decision."""
    found: dict[str, list[list[int]]] = {}
    for block in analysis.kept_sets(run, steps, budget=budget):
        for i, name in enumerate(block.names):
            found.setdefault(name, []).extend(np.flatnonzero(k).tolist() for k in block.kept[:, i])
    return found


@settings(max_examples=200, deadline=None)
@given(values=st.one_of(tied, arrays(np.float32, (3, 12))), data=st.data())
def test_the_highest_are_those_of_the_allocator(values: np.ndarray, data: st.DataObject) -> None:
    values = np.nan_to_num(values)
    budgets = np.array([data.draw(st.integers(-2, 14)) for _ in values])
    expected = [
        select(torch.tensor(v), int(b)).numpy() for v, b in zip(values, budgets, strict=True)
    ]
    np.testing.assert_array_equal(sets.highest(values, budgets), expected)
    np.testing.assert_array_equal(sets.places(values) < budgets[:, None], expected)


def test_sets_are_known_for_a_hand_made_run(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run")
    assert all_sets(run) == {
        "snr": [[0, 1, 2, 3], [0, 1, 2], [0, 3]],
        "mean_abs": [[0, 1, 2, 3], [1, 2, 3], [0, 1]],
        "kept": [[0, 1, 2, 3], [0, 1, 2], [0, 3]],
    }
    blocks = list(analysis.kept_sets(run))
    assert np.concatenate([b.steps for b in blocks]).tolist() == [2, 3, 5]
    assert np.concatenate([b.budgets for b in blocks]).tolist() == [4, 3, 2]


def test_only_the_decisions_asked_for_are_taken(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run")
    assert all_sets(run, -1)["mean_abs"] == [[0, 1]]
    assert all_sets(run, [3, 5])["mean_abs"] == [[1, 2, 3], [0, 1]]
    assert all_sets(run, slice(0, 4))["snr"] == [[0, 1, 2, 3], [0, 1, 2]]
    with pytest.raises(LogError, match="no recorded decision at step 4; there are 3"):
        all_sets(run, 4)


def test_another_budget_is_asked_of_any_step_and_has_no_actual_set(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run")
    assert all_sets(run, 2, budget=1) == {"snr": [[0]], "mean_abs": [[3]]}
    with pytest.raises(LogError, match="no recorded scores at step 4"):
        all_sets(run, 4, budget=1)


@pytest.mark.parametrize(
    ("budget", "expected"), [(-3, []), (0, []), (2, [0, 1]), (9, [0, 1, 2, 3])]
)
def test_budgets_are_clipped_and_ties_go_to_the_earlier(
    tmp_path: Path, budget: int, expected: list[int]
) -> None:
    run = open_run(shadow_run(tmp_path / "run", {"snr": 1.0, "mean_abs": 0.0}, {1: budget}).path)
    found = all_sets(run)
    assert found["snr"] == found["mean_abs"] == [expected]


def test_parts_and_chunks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {name: np.random.default_rng(i).random((6, 4)) for i, name in enumerate(SCORES)}
    budgets = {step: 4 - step // 2 for step in range(1, 7)}
    kept = np.random.default_rng(9).random((6, 4)) < 0.5
    whole = open_run(shadow_run(tmp_path / "whole", values, budgets, kept).path)
    parts = open_run(shadow_run(tmp_path / "parts", values, budgets, kept, flush_after=(2, 3)).path)
    expected = all_sets(whole), analysis.churn(whole), analysis.last_change(whole)
    monkeypatch.setattr(deciding, "_VALUES_AT_ONCE", 1)
    for run in (whole, parts):
        assert all_sets(run) == expected[0]
        pd.testing.assert_frame_equal(analysis.churn(run), expected[1])
        pd.testing.assert_frame_equal(analysis.last_change(run), expected[2])


def test_only_decisions_at_recorded_steps_count(tmp_path: Path) -> None:
    values = {name: np.arange(4.0) for name in SCORES}
    budgets = {3: 4, 4: 3, 7: 2, 8: 1}
    run = open_run(shadow_run(tmp_path / "run", values, budgets, steps=(2, 4, 6, 8), every=2).path)
    assert all_sets(run)["snr"] == [[1, 2, 3], [3]]
    assert analysis.unpruned_step(run) == 2
    assert analysis.has_shadow(run)


def test_decisions_between_the_recorded_steps_are_said(tmp_path: Path) -> None:
    values = dict.fromkeys(SCORES, 1.0)
    run = open_run(shadow_run(tmp_path / "run", values, {3: 2, 5: 1}, steps=(2, 4), every=2).path)
    assert not analysis.has_shadow(run)
    with pytest.raises(LogError, match="none of its 2 decisions fell on a recorded step, one in 2"):
        all_sets(run)


def test_a_run_without_decisions_can_be_asked_with_a_budget_only(tmp_path: Path) -> None:
    values = {"snr": [[1, 2, 3, 4]], "mean_abs": [[4, 3, 2, 1]]}
    lora = {"factors": "AB", "criterion": None, "steps": (1,)}
    run = open_run(shadow_run(tmp_path / "run", values, {}, **lora).path)
    assert not analysis.has_shadow(run)
    assert analysis.unpruned_step(run) == 1
    for ask in (analysis.churn, analysis.overlap, analysis.last_change, analysis.settling):
        with pytest.raises(LogError, match="nothing was decided"):
            ask(run)
    assert all_sets(run, budget=1) == {"snr": [[3]], "mean_abs": [[0]]}


def test_a_run_without_scores_or_steps_is_refused(tmp_path: Path) -> None:
    none = open_run(shadow_run(tmp_path / "none", {}, {1: 2}, inputs=("mu",)).path)
    with pytest.raises(LogError, match="no score was recorded"):
        all_sets(none)
    empty = open_run(shadow_run(tmp_path / "empty", {"snr": 1.0}, {1: 2}, steps=()).path)
    assert analysis.unpruned_step(empty) is None
    with pytest.raises(LogError, match="no step was recorded"):
        all_sets(empty)


def test_one_score_has_a_set_and_nothing_to_compare(tmp_path: Path) -> None:
    run = open_run(shadow_run(tmp_path / "run", {"snr": [[1, 2, 3, 4]]}, {1: 2}).path)
    assert all_sets(run)["snr"] == [[2, 3]]
    assert not analysis.has_shadow(run)


def test_a_score_that_cannot_be_ranked_is_named(tmp_path: Path) -> None:
    values = {"snr": 1.0, "mean_abs": [[1, 2, np.nan, 4]]}
    run = open_run(shadow_run(tmp_path / "run", values, {1: 2}).path)
    with pytest.raises(LogError, match=r"mean_abs of bert\.pooler\.dense\[0\] is nan at step 1"):
        all_sets(run)
