"""How many tensor operations a decision costs, and that saving them changes no number."""

from __future__ import annotations

from typing import Any

import peft
import pytest
import torch

import vilora_analysis as va
from benchmarks.counting import counted
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from vilora_analysis import scores
from vilora_analysis.allocation import triplet_score
from vilora_analysis.posterior import Snapshot, sampled_parameters, take_snapshot
from vilora_analysis.scores import evaluate
from vilora_analysis.scores.elementwise import is_elementwise
from vilora_analysis.triplets import Binding, TripletLayout, published_sum

SCHEDULE = {"init_r": 6, "target_r": 3, "tinit": 0, "tfinal": 1, "total_step": 50}


def deep() -> peft.PeftModel:
    """DeBERTa-v3-base's matrices, 12 layers of 6, at small width; counts do not depend on it."""
    targets = ["query", "key", "value", "attention.output.dense", "intermediate.dense"]
    targets.append(r"layer\.\d+\.output\.dense")
    pattern = rf".*layer\.\d+\.(.*({'|'.join(targets[:5])})|output\.dense)$"
    return adalora(tiny_bert(layers=12), target_modules=pattern, **SCHEDULE)


def one_step(model: peft.PeftModel, optimizer: torch.optim.Optimizer) -> None:
    for batch in batches(1):
        with sampled_parameters(optimizer):
            model(**batch).loss.backward()


def operations_of_a_step(criterion: str) -> int:
    """Of everything between the optimizer's step and the next batch."""
    model = deep()
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, criterion=criterion) as recording:
        assert recording.allocator.layout.n_triplets == 72 * 6
        for _ in range(2):  # the first step takes memory
            one_step(model, optimizer)
            before = recording.step
            plain = counted(lambda: optimizer._update()) if before else 0
            with_ours = counted(optimizer.step) if before else optimizer.step()
            optimizer.zero_grad()
        recording.step = 50
    return with_ours - plain


@pytest.mark.parametrize("criterion", ["snr", "sensitivity", "sensitivity_smoothed", "snr@sum"])
def test_a_decision_takes_at_most_sixty_operations(criterion: str) -> None:
    assert 10 < operations_of_a_step(criterion) <= 60


def test_pefts_own_takes_thousands() -> None:
    """What it is compared with, counted alike; the first call makes its running averages."""
    model = deep()
    model(**next(batches(1))).loss.backward()
    model.base_model.update_and_allocate(1)
    assert 3000 < counted(lambda: model.base_model.update_and_allocate(2)) < 3100


def test_nothing_is_done_where_nothing_is_due() -> None:
    """snr needs nothing of the steps between two decisions."""
    model = adalora(tiny_bert(), deltaT=10, tinit=0, total_step=100)
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, criterion="snr") as recording:
        one_step(model, optimizer)
        optimizer.step()
        one_step(model, optimizer)
        plain = counted(lambda: optimizer._update())
        assert counted(optimizer.step) == plain
        recording.step = 100


def snapshot(buffers: Any = None, seed: int = 0) -> tuple[Snapshot, Binding]:
    model = adalora(tiny_bert(), init_r=6)
    optimizer = ivon_for(trainable(model))
    binding = Binding.create(TripletLayout.from_model(model), model, optimizer)
    one_step(model, optimizer)
    generator = torch.Generator().manual_seed(seed)
    for group in optimizer.param_groups:
        group["hess"].uniform_(0.1, 2.0, generator=generator)
    for parameter in trainable(model):
        parameter.data.normal_(generator=generator)
    gradient = optimizer.state["avg_grad"]
    taken = take_snapshot(
        binding, 3, needs={"grad", "sigma", "hess"}, gradient=gradient, buffers=buffers
    )
    state = scores.Smoothing.for_inputs(scores.INPUTS)
    for _ in range(3):
        state = state.update(taken.inputs["mu"], taken.inputs["grad"] + 0.1)
    return Snapshot(3, binding.layout, {**taken.inputs, **state.values}), binding


@pytest.mark.parametrize("limit", [100, 300, 1500])
@pytest.mark.parametrize("reduce", ["mean", "sum", "l2"])
def test_chunks_change_no_bit(monkeypatch: pytest.MonkeyPatch, limit: int, reduce: str) -> None:
    """Every score of elements, against the formula on all elements at once."""
    taken, _ = snapshot()
    items = [scores.get(name) for name in scores.names()]
    element = [item for item in items if item.level == "element"]
    assert len(taken.layout.chunks(limit)) > 1
    monkeypatch.setattr(evaluate, "_CPU_CHUNK", limit)
    for item in element:
        whole = item(**{name: taken.inputs[name] for name in item.inputs})
        expected = published_sum(taken.layout.reduce(whole, reduce))
        suffix = "" if reduce == "mean" else f"@{reduce}"
        assert torch.equal(triplet_score(item.name + suffix, taken), expected), item.name


def test_registered_scores_are_elementwise() -> None:
    for name in scores.names():
        item = scores.get(name)
        assert item.level == "triplet" or is_elementwise(item), name


def test_a_score_that_looks_at_all_elements_gets_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own: in chunks it would be another score, and nobody would notice."""

    @scores.score(label="|μ|/max|μ|", equation="|μ|/max|μ|", source="a test")
    def relative_size(mu: torch.Tensor) -> torch.Tensor:
        """Magnitude beside the largest."""
        return mu.abs() / mu.abs().max()

    try:
        assert not is_elementwise(scores.get("relative_size"))
        taken, _ = snapshot()
        expected = published_sum(taken.layout.reduce(relative_size(taken.inputs["mu"])))
        monkeypatch.setattr(evaluate, "_CPU_CHUNK", 100)
        assert torch.equal(triplet_score("relative_size", taken), expected)
    finally:
        scores.unregister("relative_size")


def test_trying_a_score_out_draws_no_random_numbers() -> None:
    @scores.score(label="noise", equation="U(0, 1)", source="a test")
    def pure_noise(mu: torch.Tensor) -> torch.Tensor:
        """Nothing but noise."""
        return torch.rand_like(mu)

    try:
        before = torch.get_rng_state()
        assert not is_elementwise(scores.get("pure_noise"))
        assert torch.equal(torch.get_rng_state(), before)
    finally:
        scores.unregister("pure_noise")


def test_written_over_memory_holds_what_new_memory_would() -> None:
    fresh, binding = snapshot()
    buffers = binding.buffers()
    snapshot(buffers, seed=1)
    again, _ = snapshot(buffers)
    for name, value in fresh.inputs.items():
        assert torch.equal(again.inputs[name], value), name


def test_smoothing_into_memory_keeps_the_state_before() -> None:
    taken, binding = snapshot()
    buffers = binding.buffers()
    plain = reused = scores.Smoothing.for_inputs(scores.INPUTS)
    for step in range(5):
        before = {name: value.clone() for name, value in reused.values.items()}
        old = reused
        mu, grad = taken.inputs["mu"] * (step + 1), taken.inputs["grad"] + step
        plain, reused = plain.update(mu, grad), reused.update(mu, grad, into=buffers)
        assert len(reused.values) == 8 + 1
        for name, value in plain.values.items():
            assert torch.equal(reused.values[name], value), name
        for name, value in before.items():
            assert torch.equal(old.values[name], value), name
