"""The rate of clip hits against a walk over IVON's slices that sees what it clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ivon
import peft
import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, lora, tiny_bert, trainable
from vilora_analysis.posterior import Clipping, read_means, sampled_parameters
from vilora_analysis.posterior.clipping import clip_hits
from vilora_analysis.triplets import Binding, TripletLayout

SETTINGS: dict[str, dict[str, Any]] = {
    "some": {"clip_radius": 0.02},
    "none": {},
    "all": {"clip_radius": 1e-12},
    "weight decay counts": {"clip_radius": 0.02, "weight_decay": 0.5},
    "no debias": {"clip_radius": 2e-3, "debias": False},
}


def take_step(model: torch.nn.Module, optimizer: ivon.IVON, seed: int) -> None:
    for batch in batches(1, seed):
        with sampled_parameters(optimizer):
            model(**batch).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def rates_seen(model: torch.nn.Module, optimizer: ivon.IVON, steps: int) -> list[float]:
    """Share of adapter elements cut, from what IVON itself gives to torch.clip."""
    layout = TripletLayout.from_model(model)
    live = dict(model.named_parameters())
    ours = {id(live[name]) for name in layout.parameter_names}
    clip, seen = torch.clip, []

    def watched(values: torch.Tensor, min: float, max: float) -> torch.Tensor:
        seen.append((values.clone(), max))
        return clip(values, min=min, max=max)

    rates = []
    for seed in range(steps):
        seen.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "clip", watched)
            take_step(model, optimizer, seed)
        hit = total = 0
        for (values, radius), group in zip(seen, optimizer.param_groups, strict=True):
            offset = 0
            for parameter in group["params"]:
                for value in values[offset : offset + parameter.numel()].tolist():
                    if id(parameter) in ours:
                        hit += abs(value) >= float(torch.tensor(radius))  # as float32 has it
                        total += 1
                offset += parameter.numel()
        assert total == layout.n_elements
        rates.append(hit / total)
    return rates


def recorded(path: Path, model: torch.nn.Module, optimizer: ivon.IVON, **how: Any) -> list[float]:
    with va.instrument(model, optimizer, path, **how):
        for seed in range(6):
            take_step(model, optimizer, seed)
    return va.open_run(path).metrics().set_index("step")["clip_rate"].dropna().tolist()


def fresh(**settings: Any) -> tuple[peft.PeftModel, ivon.IVON]:
    model = adalora(tiny_bert(layers=1))
    torch.manual_seed(5)
    return model, ivon_for(trainable(model), **settings)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_recorded_rate_is_what_ivon_clips(tmp_path: Path, settings: dict[str, Any]) -> None:
    expected = rates_seen(*fresh(**settings), 6)
    assert recorded(tmp_path / "run", *fresh(**settings)) == expected
    if settings.get("clip_radius") == 0.02:
        assert any(0.01 < rate < 0.99 for rate in expected)


def test_groups_with_settings_of_their_own(tmp_path: Path) -> None:
    def grouped() -> tuple[peft.PeftModel, ivon.IVON]:
        model = adalora(tiny_bert(layers=1))
        torch.manual_seed(5)
        # the classifier's parameters stand among the adapter's, and do not count
        first, second = trainable(model)[::2], trainable(model)[1::2]
        groups = [
            {"params": second, "clip_radius": 0.01, "beta1": 0.5, "weight_decay": 0.1},
            {"params": first, "clip_radius": 0.05},
        ]
        return model, ivon_for(groups)

    assert recorded(tmp_path / "run", *grouped()) == rates_seen(*grouped(), 6)


def test_pruned_values_count_with_the_mean_they_are_held_at(tmp_path: Path) -> None:
    model = adalora(tiny_bert(layers=1), tinit=1, tfinal=1, total_step=6)
    optimizer = ivon_for(trainable(model), clip_radius=0.02, weight_decay=0.5)
    with va.instrument(model, optimizer, tmp_path / "run", criterion="mean_abs"):
        seen = rates_seen(model, optimizer, 6)
    run = va.open_run(tmp_path / "run")
    assert len(run.events()) > 0
    assert run.metrics()["clip_rate"].tolist() == seen


def test_it_is_taken_at_recorded_steps_only(tmp_path: Path) -> None:
    recorded(tmp_path / "run", *fresh(clip_radius=0.02), every=3)
    rates = va.open_run(tmp_path / "run").metrics().set_index("step")["clip_rate"]
    assert rates.dropna().index.tolist() == [3, 6]


def test_lora_has_one_too(tmp_path: Path) -> None:
    model = lora(tiny_bert(layers=1))
    optimizer = ivon_for(trainable(model), clip_radius=0.02)
    assert len(recorded(tmp_path / "run", model, optimizer)) == 6


def test_an_optimizer_that_does_not_clip_has_none(tmp_path: Path) -> None:
    model = adalora(tiny_bert(layers=1))
    optimizer = torch.optim.AdamW(trainable(model))
    assert read_means(optimizer) is None
    with va.instrument(model, optimizer, tmp_path / "run"):
        for batch in batches(1):
            model(**batch).loss.backward()
            optimizer.step()
    assert "clip_rate" not in va.open_run(tmp_path / "run").metrics()


def test_reading_copies_and_leaves_the_parameters_alone() -> None:
    model, optimizer = fresh(clip_radius=0.02)
    before = [p.detach().clone() for p in trainable(model)]
    means = read_means(optimizer)
    assert means is not None
    for mean in means:
        mean.zero_()
    assert all(torch.equal(a, b) for a, b in zip(before, trainable(model), strict=True))
    take_step(model, optimizer, 0)
    binding = Binding.create(TripletLayout.from_model(model), model, optimizer)
    assert 0 <= float(Clipping(binding, means)) <= 1


def test_what_just_reaches_the_radius_is_a_hit_and_the_weight_decay_counts() -> None:
    # h + δ = 2; (m / 0.5 + δ μ) / 2: (0.5 + 0.5) / 2, (0.5 - 0.5) / 2, (-1.5 + 0.5) / 2, 0.49
    mean = torch.tensor([1.0, -1.0, 1.0, 0.0])
    momentum = torch.tensor([0.25, 0.25, -0.75, 0.49])
    hits = clip_hits(
        mean, momentum, torch.full((4,), 1.5), weight_decay=0.5, clip_radius=0.5, debias=0.5
    )
    assert hits.tolist() == [True, False, True, False]
