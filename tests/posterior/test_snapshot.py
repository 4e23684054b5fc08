"""Snapshots against a naive walk over IVON's own slices, and sampling that always restores."""

from __future__ import annotations

import ivon
import peft
import pytest
import torch

from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from vilora_analysis.errors import LayoutError
from vilora_analysis.posterior import (
    has_posterior,
    read_gradient,
    sampled_parameters,
    take_snapshot,
)
from vilora_analysis.triplets import Binding, TripletLayout

ALL = {"mu", "sigma", "grad", "hess"}


def bind(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Binding:
    return Binding.create(TripletLayout.from_model(model), model, optimizer)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int = 1) -> torch.Tensor:
    """One training step; returns the gradient that IVON would drop."""
    for batch in batches(1, seed):
        with sampled_parameters(optimizer):
            model(**batch).loss.backward()
    gradient = read_gradient(optimizer)
    optimizer.step()
    return gradient


def naive(model: torch.nn.Module, optimizer: ivon.IVON, layout: TripletLayout) -> dict:
    """Each parameter's slice of the flat state, cut by walking the optimizer's own list."""
    slices: dict[int, dict[str, torch.Tensor]] = {}
    for group in optimizer.param_groups:
        offset = 0
        for parameter in group["params"]:
            hess = group["hess"][offset : offset + parameter.numel()]
            sigma = 1 / (group["ess"] * (hess + group["weight_decay"])).sqrt()
            grad = parameter.grad.flatten()
            values = {"mu": parameter.data.flatten(), "grad": grad, "hess": hess, "sigma": sigma}
            slices[id(parameter)] = values
            offset += parameter.numel()
    live = dict(model.named_parameters())
    return {
        key: torch.cat([slices[id(live[name])][key] for name in layout.parameter_names])
        for key in ALL
    }


@pytest.mark.parametrize("groups", [1, 2])
def test_snapshot_equals_ivons_own_slices(model: peft.PeftModel, groups: int) -> None:
    parameters = trainable(model)
    if groups == 2:
        head, rest = parameters[::3], [p for i, p in enumerate(parameters) if i % 3]
        optimizer = ivon_for(
            [
                {"params": head, "ess": 50.0, "weight_decay": 1e-2, "hess_init": 0.7},
                {"params": rest, "ess": 900.0},
            ]
        )
    else:
        optimizer = ivon_for(parameters)
    binding = bind(model, optimizer)
    for seed in range(3):
        optimizer.zero_grad()
        gradient = step(model, optimizer, seed)
    snapshot = take_snapshot(binding, 3, needs=ALL, gradient=gradient)
    for key, expected in naive(model, optimizer, binding.layout).items():
        torch.testing.assert_close(snapshot.inputs[key], expected, rtol=1e-6, atol=0)
    assert snapshot.step == 3


def test_any_other_optimizer_gives_parameters_and_gradients(model: peft.PeftModel) -> None:
    optimizer = torch.optim.AdamW(trainable(model), lr=1e-3)
    binding = bind(model, optimizer)
    assert step(model, optimizer) is None
    snapshot = take_snapshot(binding, 1, needs={"grad"})
    live = dict(model.named_parameters())
    for key, value in (("mu", lambda p: p.data), ("grad", lambda p: p.grad)):
        flat = torch.cat([value(live[n]).flatten() for n in binding.layout.parameter_names])
        assert torch.equal(snapshot.inputs[key], flat)
    assert not has_posterior(optimizer)
    with pytest.raises(LayoutError, match="AdamW keeps no posterior"):
        take_snapshot(binding, 1, needs={"sigma"})


def test_looking_does_not_touch_the_optimizer(model: peft.PeftModel) -> None:
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    read_gradient(optimizer)
    assert "avg_grad" not in optimizer.state


def test_the_mean_over_several_samples_is_the_gradient(model: peft.PeftModel) -> None:
    optimizer = ivon_for(trainable(model), mc_samples=2)
    binding = bind(model, optimizer)
    single = []
    for batch in batches(2):
        optimizer.zero_grad()
        with sampled_parameters(optimizer):
            model(**batch).loss.backward()
        single.append(binding.gather(lambda p: p.grad.clone()))
    gradient = read_gradient(optimizer)
    optimizer.step()
    snapshot = take_snapshot(binding, 1, needs={"grad"}, gradient=gradient)
    torch.testing.assert_close(snapshot.inputs["grad"], (single[0] + single[1]) / 2)


def test_a_module_without_gradient_is_named(model: peft.PeftModel) -> None:
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    binding = bind(model, optimizer)
    with pytest.raises(LayoutError, match=r"lora_E\.default' has no gradient"):
        take_snapshot(binding, 1, needs={"grad"})


def test_sampling_draws_and_restores(model: peft.PeftModel) -> None:
    optimizer = ivon_for(trainable(model))
    before = [p.detach().clone() for p in trainable(model)]
    with sampled_parameters(optimizer, train=False):
        drawn = [p.detach().clone() for p in trainable(model)]
    assert not any(torch.equal(a, b) for a, b in zip(before, drawn, strict=True))
    assert all(torch.equal(a, p) for a, p in zip(before, trainable(model), strict=True))


def test_sampling_is_ivons_own(model: peft.PeftModel) -> None:
    """Same weights, gradients and random state as the library's context manager."""

    def run(context: object) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        twin = adalora(tiny_bert())
        optimizer = ivon_for(trainable(twin))
        torch.manual_seed(7)
        for batch in batches(1):
            with context(optimizer):  # type: ignore[operator]
                twin(**batch).loss.backward()
        gradient = optimizer.state["avg_grad"].clone()
        noise = optimizer.state["avg_nxg"].clone()
        return gradient, noise, torch.get_rng_state()

    ours = run(sampled_parameters)
    theirs = run(lambda optimizer: optimizer.sampled_params(train=True))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_an_exception_inside_restores_the_mean_weights(model: peft.PeftModel) -> None:
    optimizer = ivon_for(trainable(model))
    before = [p.detach().clone() for p in trainable(model)]
    with pytest.raises(KeyboardInterrupt), sampled_parameters(optimizer):
        raise KeyboardInterrupt
    assert all(torch.equal(a, p) for a, p in zip(before, trainable(model), strict=True))
    assert optimizer.state["avg_grad"] is None


def test_a_forgotten_backward_is_said_and_restored(model: peft.PeftModel) -> None:
    optimizer = ivon_for(trainable(model))
    before = [p.detach().clone() for p in trainable(model)]
    with (
        pytest.raises(LayoutError, match=r"41 of 41 trained parameters got no gradient"),
        sampled_parameters(optimizer),
    ):
        pass
    assert all(torch.equal(a, p) for a, p in zip(before, trainable(model), strict=True))


def test_sampling_does_nothing_for_other_optimizers(model: peft.PeftModel) -> None:
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    state = torch.get_rng_state()
    with sampled_parameters(optimizer):
        assert torch.equal(torch.get_rng_state(), state)
