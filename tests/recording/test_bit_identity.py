"""Recording must not change the training by one bit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, lora, tiny_bert, trainable

STEPS = 30


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=5e-3)


def state_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Every tensor the optimizer keeps, param groups included (IVON keeps its state there)."""
    kept: list[torch.Tensor] = []
    for holder in (*optimizer.state.values(), *optimizer.param_groups):
        if isinstance(holder, dict):
            kept.extend(v for v in holder.values() if isinstance(v, torch.Tensor))
    return kept


def train(
    wrap: Callable[..., torch.nn.Module],
    make: Callable[..., torch.optim.Optimizer],
    instrumented: Callable[..., Any],
    dropout: float,
) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    model = wrap(tiny_bert(dropout=dropout))
    optimizer = make(trainable(model))
    torch.manual_seed(11)
    model.train()
    with instrumented(model, optimizer):
        for batch in batches(STEPS):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    weights = [p.detach().clone() for p in model.parameters()]
    return weights, state_of(optimizer), torch.get_rng_state()


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("make", [ivon_for, adamw])
@pytest.mark.parametrize("wrap", [adalora, lora])
@pytest.mark.parametrize("pruned", [True, False])
def test_weights_optimizer_and_random_state_are_the_same(
    tmp_path: Path, wrap: Any, make: Any, dropout: float, pruned: bool
) -> None:
    """With a criterion both runs prune and one records; without, one only observes."""
    criterion = "mean_abs" if pruned and wrap is adalora else None

    def recorded(model: Any, optimizer: Any) -> Any:
        return va.instrument(
            model, optimizer, tmp_path / "run", criterion=criterion, elements_every=7
        )

    def silent(model: Any, optimizer: Any) -> Any:
        if criterion is None:
            return contextlib.nullcontext()
        return va.instrument(model, optimizer, criterion=criterion)

    with_log = train(wrap, make, recorded, dropout)
    without = train(wrap, make, silent, dropout)
    for ours, theirs in zip(with_log[:2], without[:2], strict=True):
        assert len(ours) == len(theirs) > 0
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert torch.equal(with_log[2], without[2])
    assert len(va.open_run(tmp_path / "run").steps) == STEPS


def test_two_runs_with_one_seed_are_the_same(tmp_path: Path) -> None:
    def recorded(name: str) -> Callable[..., Any]:
        return lambda m, o: va.instrument(m, o, tmp_path / name, criterion="snr")

    first = train(adalora, ivon_for, recorded("a"), 0.1)
    second = train(adalora, ivon_for, recorded("b"), 0.1)
    assert all(torch.equal(a, b) for a, b in zip(first[0], second[0], strict=True))
    frames = [va.open_run(tmp_path / name).triplets() for name in "ab"]
    assert frames[0].equals(frames[1])
