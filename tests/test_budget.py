"""The budget schedule against PEFT's own, and the schedules that are impossible."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import adalora, tiny_bert
from vilora_analysis.budget import BudgetSchedule
from vilora_analysis.errors import ConfigError


@pytest.fixture(scope="module")
def published() -> Any:
    return adalora(tiny_bert()).base_model.rankallocator


@settings(max_examples=60, deadline=None)
@given(
    target=st.integers(0, 3),
    tinit=st.integers(0, 20),
    middle=st.integers(1, 40),
    tfinal=st.integers(0, 20),
    every=st.integers(1, 7),
)
def test_budget_and_decisions_are_pefts(
    published: Any, target: int, tinit: int, middle: int, tfinal: int, every: int
) -> None:
    total = tinit + middle + tfinal
    config = published.peft_config
    config.tinit, config.tfinal, config.total_step, config.deltaT = tinit, tfinal, total, every
    published.target_bgt = target * 13
    schedule = BudgetSchedule(39, target * 13, tinit, tfinal, total, every)
    for step in range(1, total + 1):
        budget, decides = published.budget_schedule(step)
        assert schedule.budget(step) == budget
        # PEFT's model forces a decision at the final step, and only masks after it
        if step < schedule.final_step:
            assert schedule.decides(step) == decides
        else:
            assert schedule.decides(step) == (step == schedule.final_step)


def test_the_budget_never_rises_and_ends_at_the_target() -> None:
    schedule = BudgetSchedule(100, 30, tinit=7, tfinal=11, total_steps=60, allocate_every=3)
    budgets = [schedule.budget(step) for step in range(1, 61)]
    assert budgets == sorted(budgets, reverse=True)
    assert (budgets[0], budgets[6], budgets[-1]) == (100, 100, 30)
    decisions = [step for step in range(1, 61) if schedule.decides(step)]
    assert decisions[-1] == schedule.final_step == 49


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"target_budget": 11}, "target budget 11 must lie in 0 .. 10"),
        ({"target_budget": -1}, "target budget -1"),
        ({"tinit": 60, "tfinal": 40}, r"tinit 60 \+ tfinal 40 >= 100 steps; lower"),
        ({"tinit": -1}, "tinit -1"),
        ({"allocate_every": 0}, "allocate_every 0"),
    ],
)
def test_impossible_schedules_say_what_to_change(overrides: dict[str, int], message: str) -> None:
    settings = {"target_budget": 5, "tinit": 10, "tfinal": 10, "total_steps": 100}
    with pytest.raises(ConfigError, match=message):
        BudgetSchedule(init_budget=10, **{**settings, **overrides})
