"""The draw on whole vectors is IVON's own, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ivon
import pytest
import torch

from vilora_analysis.posterior import sampled_parameters
from vilora_analysis.posterior.drawing import draws_as_known


def network() -> torch.nn.Sequential:
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Linear(7, 33), torch.nn.Tanh(), torch.nn.Linear(33, 33), torch.nn.Linear(33, 2)
    )


def optimizer_of(model: torch.nn.Module, approximation: str, samples: int) -> Any:
    parameters = list(model.parameters())
    groups = [{"params": parameters[:3]}, {"params": parameters[3:], "ess": 50.0, "hess_init": 0.3}]
    return ivon.IVON(
        groups, lr=0.1, ess=20.0, mc_samples=samples, hess_approx=approximation, clip_radius=0.5
    )


def trained(context: Any, approximation: str, samples: int) -> list[torch.Tensor]:
    """Everything that four steps leave behind."""
    model = network()
    optimizer = optimizer_of(model, approximation, samples)
    torch.manual_seed(11)
    seen = []
    for _ in range(4):
        for _ in range(samples):
            with context(optimizer):
                optimizer.zero_grad()
                loss = model(torch.randn(5, 7)).square().sum()
                loss.backward()
                seen.append(loss.detach())
        optimizer.step()
    state = [group[name] for group in optimizer.param_groups for name in ("hess", "momentum")]
    return [*seen, *model.parameters(), *state, torch.get_rng_state()]


@contextmanager
def ivons_own(optimizer: Any) -> Iterator[None]:
    with optimizer.sampled_params(train=True):
        yield


@pytest.mark.parametrize("approximation", ["price", "gradsq"])
@pytest.mark.parametrize("samples", [1, 3])
def test_steps_are_those_of_ivons_own_context(approximation: str, samples: int) -> None:
    ours = trained(sampled_parameters, approximation, samples)
    theirs = trained(ivons_own, approximation, samples)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_draw_for_looking_collects_nothing_and_ends_at_the_means() -> None:
    model = network()
    optimizer = optimizer_of(model, "price", 1)
    assert draws_as_known(optimizer)
    before = [p.detach().clone() for p in model.parameters()]
    with sampled_parameters(optimizer, train=False):
        inside = [p.detach().clone() for p in model.parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(before, inside, strict=True))
    assert all(torch.equal(a, p) for a, p in zip(before, model.parameters(), strict=True))
    assert optimizer.state["avg_grad"] is None
    assert optimizer.state["count"] == 0


class _OwnDraw(ivon.IVON):  # type: ignore[misc]
    def _sample_params(self) -> Any:
        mean, noise = super()._sample_params()
        return mean, 0 * noise


def test_what_draws_in_its_own_way_is_left_alone() -> None:
    model = network()
    assert not draws_as_known(_OwnDraw(model.parameters(), lr=0.1, ess=20.0))
    patched = ivon.IVON(model.parameters(), lr=0.1, ess=20.0)
    patched._sample_params = lambda: None
    assert not draws_as_known(patched)
    frozen = network()
    optimizer = ivon.IVON(frozen.parameters(), lr=0.1, ess=20.0)
    frozen[0].weight.requires_grad_(False)
    assert not draws_as_known(optimizer)
    with sampled_parameters(optimizer):
        frozen(torch.randn(5, 7)).sum().backward()
    assert optimizer.state["count"] == 1
