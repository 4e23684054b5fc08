"""Exactly the budget, always; and scores that are not finite are never ranked."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vilora_analysis.allocation import select

values = st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=60)
tied = st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=60)


@settings(max_examples=300, deadline=None)
@given(score=st.one_of(values, tied), budget=st.integers(-2, 70))
def test_exactly_the_budget_is_kept_and_nothing_better_is_pruned(
    score: list[float], budget: int
) -> None:
    tensor = torch.tensor(score)
    kept = select(tensor, budget)
    assert int(kept.sum()) == min(max(budget, 0), len(score))
    if 0 < int(kept.sum()) < len(score):
        assert tensor[kept].min() >= tensor[~kept].max()


@settings(max_examples=100, deadline=None)
@given(score=tied, budget=st.integers(0, 60))
def test_ties_are_broken_by_position(score: list[float], budget: int) -> None:
    """Against Python's stable sort."""
    order = sorted(range(len(score)), key=lambda i: -score[i])
    expected = set(order[:budget])
    kept = select(torch.tensor(score), budget)
    assert set(kept.nonzero().flatten().tolist()) == expected


@settings(max_examples=100, deadline=None)
@given(score=values, budget=st.integers(0, 60))
def test_the_published_rule_is_kthvalue(score: list[float], budget: int) -> None:
    tensor = torch.tensor(score)
    kept = select(tensor, budget, rule="published")
    excess = len(score) - min(budget, len(score))
    if excess == 0:
        assert kept.all()  # where kthvalue(0) fails
    else:
        assert torch.equal(kept, tensor > sorted(score)[excess - 1])


@given(score=st.lists(st.integers(0, 10**6), min_size=1, max_size=40, unique=True))
def test_both_rules_agree_without_ties(score: list[int]) -> None:
    tensor = torch.tensor(score, dtype=torch.float64)
    for budget in range(len(score) + 1):
        assert torch.equal(select(tensor, budget), select(tensor, budget, rule="published"))


@pytest.mark.parametrize("rule", ["exact", "published"])
def test_all_equal_scores(rule: str) -> None:
    kept = select(torch.ones(5), 2, rule=rule)  # type: ignore[arg-type]
    assert kept.tolist() == ([True, True, False, False, False] if rule == "exact" else [False] * 5)
