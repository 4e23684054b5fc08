"""Exactly the budget is kept, in thousands of generated cases, ties included."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.faults.soak import count
from vilora_analysis.allocation import select
from vilora_analysis.budget import BudgetSchedule
from vilora_analysis.errors import ConfigError, DecisionError


def drawn(generator: np.random.Generator) -> list[float]:
    """Scores of one case: all different, tied, all equal, with signed zeros, or infinite."""
    size = int(generator.integers(1, 30))
    kind = generator.integers(5)
    if kind == 0:
        values = generator.normal(size=size)
    elif kind == 1:
        values = generator.integers(0, 3, size).astype(float)
    elif kind == 2:
        values = np.full(size, generator.choice([0.0, -1.0, 1e-45, 3e38]))
    elif kind == 3:
        values = generator.choice([0.0, -0.0, 1e-45, 1e-38, 3e38], size)
    else:
        values = generator.choice([-math.inf, -1.0, 0.0, 1.0, math.inf], size)
    return [float(value) for value in values.astype(np.float32)]


def kept_naively(scores: list[float], budget: int) -> list[bool]:
    """By Python's own sort, the first of equals first."""
    order = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
    chosen = set(order[: max(budget, 0)])
    return [at in chosen for at in range(len(scores))]


def test_exactly_the_budget_in_ten_thousand_cases() -> None:
    generator = np.random.default_rng(0)
    for _ in range(count(10_000, 200_000)):
        scores = drawn(generator)
        budget = int(generator.choice([-1, 0, 1, len(scores) - 1, len(scores), len(scores) + 3]))
        if generator.random() < 0.5:
            budget = int(generator.integers(0, len(scores) + 1))
        kept = select(torch.tensor(scores), budget).tolist()
        assert sum(kept) == min(max(budget, 0), len(scores))
        assert kept == kept_naively(scores, budget), (scores, budget)


def test_the_published_rule_never_keeps_more() -> None:
    """Nothing at or below the k-th smallest stays; where nothing is to go, everything does."""
    generator = np.random.default_rng(1)
    for _ in range(count(2_000, 50_000)):
        scores = drawn(generator)
        budget = int(generator.integers(0, len(scores) + 1))
        excess = len(scores) - budget
        expected = [excess == 0 or value > sorted(scores)[excess - 1] for value in scores]
        assert select(torch.tensor(scores), budget, rule="published").tolist() == expected
        assert sum(expected) <= budget


def test_every_schedule_ends_at_its_target_and_never_rises() -> None:
    generator = np.random.default_rng(2)
    for _ in range(count(500, 20_000)):
        total = int(generator.integers(1, 200))
        tinit, tfinal = (int(generator.integers(0, total)) for _ in range(2))
        first = int(generator.integers(0, 300))
        target = int(generator.integers(0, first + 1))
        if tinit >= total - tfinal:
            continue
        every = int(generator.integers(1, 20))
        schedule = BudgetSchedule(first, target, tinit, tfinal, total, every)
        budgets = [schedule.budget(step) for step in range(1, total + 1)]
        assert budgets == sorted(budgets, reverse=True)
        assert budgets[-1] == target
        decided = [step for step in range(1, total + 1) if schedule.decides(step)]
        assert decided[-1] == schedule.final_step


@pytest.mark.parametrize("rule", ["exact", "published"])
def test_a_score_that_is_nan_is_never_kept_quietly_and_names_score_module_and_k(rule: str) -> None:
    scores = torch.tensor([1.0, math.nan, 2.0])
    names = ["query[0]", "query[1]", "value[0]"]
    for budget in range(4):
        with pytest.raises(DecisionError, match=r"^score 'snr' of query\[1\] is NaN"):
            select(scores, budget, rule=rule, name="snr", triplets=names)  # type: ignore[arg-type]
    with pytest.raises(DecisionError, match="the score of triplet 1 is NaN"):
        select(scores, 2, rule=rule)  # type: ignore[arg-type]


def test_a_rule_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="'nonsense' is neither 'exact' nor 'published'"):
        select(torch.ones(3), 2, rule="nonsense")  # type: ignore[arg-type]
