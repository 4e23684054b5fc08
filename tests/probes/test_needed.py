"""Positions that reach the result are computed, others are not, and no loss depends on it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import peft
import pytest
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

import vilora_analysis as va
from tests.conftest import ADALORA
from tests.probes.test_replay import adapted, some_batch
from vilora_analysis.probes.ablation import without
from vilora_analysis.probes.effects import Batch, ablate_each
from vilora_analysis.probes.needed import only_needed
from vilora_analysis.probes.replay import Replay

BERT = "base_model.model.bert.encoder.layer"


def recorded(model: Any, batch: Batch) -> Replay:
    return Replay(model, lambda: model(**batch.inputs).logits)


def unpadded() -> Batch:
    batch = some_batch()
    mask = torch.ones_like(batch.inputs["attention_mask"])
    return dataclasses.replace(batch, inputs={**batch.inputs, "attention_mask": mask})


def positions_at(model: Any, batch: Batch, names: list[str]) -> list[int]:
    """How many positions the base layers get while the pass is shortened."""
    counted: list[int] = []
    with only_needed(model, recorded(model, batch), batch.inputs["attention_mask"] > 0):
        hooks = [
            model.get_submodule(f"{BERT}.{name}.base_layer").register_forward_hook(
                lambda _m, _args, output: counted.append(output[..., 0].numel())
            )
            for name in names
        ]
        with torch.no_grad():
            model(**batch.inputs)
        for hook in hooks:
            hook.remove()
    return counted


def test_padding_is_left_out_and_in_the_last_layer_all_but_the_first() -> None:
    model, batch = adapted("bert"), some_batch()
    real = int(batch.inputs["attention_mask"].sum())
    assert real < 35
    parts = ("attention.self.query", "attention.self.key", "attention.self.value")
    parts += ("attention.output.dense", "intermediate.dense", "output.dense")
    assert positions_at(model, batch, [f"0.{part}" for part in parts]) == [real] * 6
    assert positions_at(model, batch, [f"1.{part}" for part in parts]) == [5, real, real, 5, 5, 5]
    assert positions_at(model, unpadded(), [f"1.{part}" for part in parts]) == [5, 35, 35, 5, 5, 5]


def test_the_first_position_is_never_left_out() -> None:
    """With padding on the left it is padding, and the classifier reads it all the same."""
    model, batch = adapted("bert"), some_batch()
    mask = batch.inputs["attention_mask"].flip(1)
    left = dataclasses.replace(batch, inputs={**batch.inputs, "attention_mask": mask})
    computed = int(mask.sum()) + int((mask[:, 0] == 0).sum())
    assert computed > int(mask.sum())
    assert positions_at(model, left, ["0.output.dense", "1.output.dense"]) == [computed, 5]


@pytest.mark.parametrize("batch", [some_batch(), unpadded()], ids=["padded", "unpadded"])
@torch.no_grad()
def test_the_result_is_the_same_and_the_model_comes_back(batch: Batch) -> None:
    model = adapted("bert")
    whole, shapes = model(**batch.inputs).logits, []
    with only_needed(model, recorded(model, batch), batch.inputs["attention_mask"] > 0) as chosen:
        torch.testing.assert_close(model(**batch.inputs).logits, whole)
        shapes = [name for name in chosen if name.endswith(("attention", "attention.self"))]
        assert f"{BERT}.1.output" in chosen
    assert shapes == []  # attention mixes positions
    assert torch.equal(model(**batch.inputs).logits, whole)
    assert not any("forward" in vars(module) for module in model.modules())


class Fixed(nn.Module):
    """By position, but of one shape only."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x.view(5, 7, 3)


def test_a_module_that_takes_no_other_shape_is_left_as_it_is() -> None:
    model = nn.Sequential(nn.Embedding(60, 3), nn.Linear(3, 3), Fixed(), nn.Linear(3, 3)).eval()
    ids = some_batch().inputs["input_ids"]
    replay = Replay(model, lambda: model(ids)[:, 0])
    with only_needed(model, replay, torch.ones(5, 7) > 0) as chosen:
        assert chosen == ["3", "1"]


class Pooled(nn.Module):
    """Attention, a layer, and the mean over all positions, padding too unless it is masked."""

    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(60, 8), nn.Linear(8, 8)
        self.query, self.value = nn.Linear(8, 8), nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)
        self.masked = masked

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SequenceClassifierOutput:
        x = self.embed(input_ids)
        scores = self.query(x) @ x.transpose(1, 2)
        if self.masked:
            scores = scores.masked_fill(attention_mask[:, None] == 0, -torch.inf)
        x = torch.tanh(self.mix(scores.softmax(-1) @ self.value(x)))
        weight = attention_mask[..., None] if self.masked else torch.ones_like(x[..., :1])
        return SequenceClassifierOutput(logits=self.head((x * weight).sum(1) / weight.sum(1)))


@pytest.mark.parametrize("masked", [True, False])
def test_a_model_that_reads_other_positions_is_asked_rightly(masked: bool) -> None:
    torch.manual_seed(0)
    batch = some_batch()
    config = peft.AdaLoraConfig(**ADALORA, target_modules=["query", "value", "mix"])
    model = peft.get_peft_model(Pooled(masked=masked), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_()
    model.eval()
    layout = va.TripletLayout.from_model(model)
    full = torch.ones_like(batch.inputs["attention_mask"]) > 0
    with only_needed(model, recorded(model, batch), full) as chosen:
        assert chosen == []  # a mean needs more than the first position
    effects = ablate_each(model, layout, batch)
    np.testing.assert_allclose(effects.loss, by_brute_force(model, batch), rtol=1e-5, atol=1e-5)


class Averaged(nn.Module):
    """A layer, the mean over all positions, padding too, and a bound on it or none."""

    def __init__(self, bound: nn.Module) -> None:
        super().__init__()
        self.embed, self.value = nn.Embedding(60, 8), nn.Linear(8, 8)
        self.bound, self.head = bound, nn.Linear(8, 2)
        with torch.no_grad():
            self.embed.weight[:, -1] = 1.0

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SequenceClassifierOutput:
        mean = self.value(self.embed(input_ids)).mean(1)
        return SequenceClassifierOutput(logits=self.head(self.bound(mean)))


@pytest.mark.parametrize(
    ("bound", "strong"),
    [(nn.Identity(), 1), (nn.Hardtanh(), 0)],
    ids=["losses are 0", "logits are saturated"],
)
def test_a_pass_that_is_blind_to_what_is_left_out_is_found_out(
    bound: nn.Module, strong: int
) -> None:
    """One triplet is so strong that as long as it is there, padding changes nothing."""
    torch.manual_seed(0)
    config = peft.AdaLoraConfig(**ADALORA, target_modules=["value"])
    model = peft.get_peft_model(Averaged(bound), config).eval()
    layer, constant = model.base_model.model.value, torch.eye(8)[-1]
    with torch.no_grad():
        for factor in (layer.lora_A, layer.lora_B, layer.lora_E):
            factor["default"].normal_(std=0.5)
        layer.lora_A["default"][strong] = constant
        layer.lora_B["default"][:, strong] = torch.randn(8).sign()
        layer.lora_E["default"][strong] = 200.0
        batch = some_batch()
        batch = dataclasses.replace(batch, labels=model(**batch.inputs).logits.argmax(-1))
        shortened = only_needed(model, recorded(model, batch), batch.inputs["attention_mask"] > 0)
        with shortened as chosen:
            blind = cross_entropy(model, batch)
        assert chosen == ["base_model.model.value"]
        np.testing.assert_allclose(blind, cross_entropy(model, batch), rtol=1e-5)
    effects = ablate_each(model, va.TripletLayout.from_model(model), batch)
    np.testing.assert_allclose(effects.loss, by_brute_force(model, batch), rtol=1e-4, atol=1e-4)
    assert abs(effects.loss[strong] - effects.base).max() > 0.1


def by_brute_force(model: Any, batch: Batch) -> np.ndarray:
    layout = va.TripletLayout.from_model(model)
    losses = []
    for triplet in range(layout.n_triplets):
        with without(model, layout, [triplet]):
            losses.append(cross_entropy(model, batch))
    return np.stack(losses)


@torch.no_grad()
def cross_entropy(model: Any, batch: Batch) -> np.ndarray:
    logits = model(**batch.inputs).logits
    return nn.functional.cross_entropy(logits, batch.labels, reduction="none").numpy()
