"""A pass repeated from the middle is the whole pass, and nothing before is computed again."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, lora, tiny_bert
from tests.recording.test_architectures import ENCODERS
from vilora_analysis.errors import LayoutError
from vilora_analysis.probes.ablation import without
from vilora_analysis.probes.effects import Batch, ablate_each, ablate_sets
from vilora_analysis.probes.replay import Replay


def models() -> dict[str, Any]:
    built = {"bert": lambda: tiny_bert(), "lora": lambda: tiny_bert()}
    for name, (config, _) in ENCODERS.items():
        built[name] = lambda config=config: (
            transformers.AutoModelForSequenceClassification.from_config(config)
        )
    return built


def adapted(name: str) -> Any:
    torch.manual_seed(0)
    base = models()[name]()
    model = lora(base) if name == "lora" else adalora(base)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                parameter.normal_(std=0.5)
    return model.eval()


def some_batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 60, (5, 7), generator=generator)
    mask = torch.ones_like(ids)
    mask[2:, 5:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    return Batch(torch.arange(5).numpy(), inputs, ids[:, 0] % 2)


@pytest.mark.parametrize("name", list(models()))
def test_every_ablation_equals_brute_force(name: str) -> None:
    model, batch = adapted(name), some_batch()
    layout = va.TripletLayout.from_model(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    effects = ablate_each(model, layout, batch)
    assert effects.loss.shape == (layout.n_triplets, 5)
    for triplet in range(layout.n_triplets):
        with without(model, layout, [triplet]), torch.no_grad():
            logits = model(**batch.inputs).logits
        loss = torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")
        torch.testing.assert_close(torch.tensor(effects.loss[triplet]), loss)
        right = (logits.argmax(-1) == batch.labels).float()
        assert effects.right[triplet].tolist() == right.tolist()
    assert (abs(effects.loss - effects.base).max(1) > 0).mean() > 0.9  # they do something
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def calls_of_leaves(model: Any) -> list[str]:
    """Paths of the modules without children that are called from now on."""
    called: list[str] = []
    for name, module in model.named_modules():
        if not list(module.children()):
            forward = module.forward
            module.forward = lambda *a, n=name, f=forward, **k: called.append(n) or f(*a, **k)
    return called


def test_nothing_before_the_matrix_is_computed_again() -> None:
    model, batch = adapted("bert"), some_batch()
    replay = Replay(model, lambda: model(**batch.inputs).logits)
    called = calls_of_leaves(model)
    first, last = "encoder.layer.0", "encoder.layer.1"
    replay.run_from(f"base_model.model.bert.{last}.intermediate.dense")
    assert not any(first in name or "embeddings" in name for name in called)
    assert not any(f"{last}.attention" in name for name in called)
    assert any(f"{last}.intermediate.dense" in name for name in called)
    assert any(f"{last}.output.dense" in name for name in called)


def test_what_got_just_what_the_matrix_got_is_not_computed_again() -> None:
    model, batch = adapted("bert"), some_batch()
    replay = Replay(model, lambda: model(**batch.inputs).logits)
    layer = "base_model.model.bert.encoder.layer.1"
    query, key, value = (f"{layer}.attention.self.{name}" for name in ("query", "key", "value"))
    known = replay.once(query)
    assert known is not None
    assert {key, value} <= {*replay.beside(query)}
    # a layer got the same tensor, and a mask besides
    assert not {layer, f"{layer}.attention", f"{layer}.output"} & {*replay.beside(query)}
    called = calls_of_leaves(model)
    changed = replay.run_after(query, known[1] + 1.0)
    assert not any(name.startswith((query, key, value)) for name in called)
    assert any(f"{layer}.output.dense" in name for name in called)
    with torch.no_grad():
        matrix = model.get_submodule(query)
        matrix.base_layer.bias.add_(1.0)
        torch.testing.assert_close(changed, model(**batch.inputs).logits)


def test_sets_are_removed_together() -> None:
    model, batch = adapted("bert"), some_batch()
    layout = va.TripletLayout.from_model(model)
    effects = ablate_each(model, layout, batch)
    found = ablate_sets(model, layout, [batch], [[], [4], list(range(layout.n_triplets))])
    assert found[0, 0] == pytest.approx(effects.base.mean(), rel=1e-6)
    assert found[1, 0] == pytest.approx(effects.loss[4].mean(), rel=1e-6)
    with torch.no_grad(), model.disable_adapter():
        logits = model(**batch.inputs).logits
    # the head is trained beside the adapter and stays
    everything = found[2, 0]
    assert everything != pytest.approx(float(found[0, 0]))
    assert logits.shape == (5, 2)


class Twice(torch.nn.Module):
    """A layer that is used again with its own output, behind one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.layer = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.layer(self.first(x)))


def test_a_layer_used_twice_is_computed_from_its_first_use_on() -> None:
    torch.manual_seed(0)
    model = Twice().eval()
    replay = Replay(model, lambda: model(torch.ones(1, 3)))
    assert replay.prefix("layer") == ["first"]
    with torch.no_grad():
        model.layer.weight.mul_(2.0)
        assert torch.equal(replay.run_from("layer"), model(torch.ones(1, 3)))


def test_what_cannot_be_repeated_is_said() -> None:
    model = Twice()
    with pytest.raises(LayoutError, match="evaluation mode"):
        Replay(model, lambda: model(torch.ones(1, 3)))
    model.eval()
    model.unused = torch.nn.Linear(3, 3)
    replay = Replay(model, lambda: model(torch.ones(1, 3)))
    with pytest.raises(LayoutError, match="'unused' takes no part"):
        replay.run_from("unused")


@pytest.mark.parametrize("confident", [False, True])
def test_a_model_that_changes_its_outputs_in_place_is_found(confident: bool) -> None:
    model, batch = adapted("bert"), some_batch()
    if confident:  # the loss is 0, whatever the logits
        batch = dataclasses.replace(batch, labels=torch.zeros(5, dtype=torch.long))
        with torch.no_grad():
            model.base_model.model.classifier.modules_to_save["default"].bias[0] += 30.0
    layout = va.TripletLayout.from_model(model)
    layer = model.base_model.model.bert.encoder.layer[0]
    forward = layer.forward

    def spoiling(hidden: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        output = forward(hidden, *args, **kwargs)
        hidden.add_(1.0)  # what the embeddings returned
        return output

    layer.forward = spoiling
    with pytest.raises(LayoutError, match="gives other logits"):
        ablate_each(model, layout, batch)
