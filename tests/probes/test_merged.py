"""Layers with the adapter in their weights are the same layers, and come back as they were."""

from __future__ import annotations

from typing import Any

import peft
import pytest
import torch

import vilora_analysis as va
from tests.conftest import pefts_noise, tiny_bert
from tests.probes.test_replay import adapted, some_batch
from vilora_analysis.probes.ablation import remove, without
from vilora_analysis.probes.effects import ablate_each
from vilora_analysis.probes.merged import apart, merged


def first_layer(model: Any, layout: va.TripletLayout) -> Any:
    return model.get_submodule(f"base_model.model.{layout.modules[0].name}")


@pytest.mark.parametrize("name", ["bert", "lora"])
def test_the_function_is_the_same_and_the_model_comes_back(name: str) -> None:
    model, inputs = adapted(name), some_batch().inputs
    layout = va.TripletLayout.from_model(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        whole = model(**inputs).logits
        with merged(model, layout) as layers:
            assert len(layers) == len(layout.modules)
            inside = model(**inputs).logits
        assert not torch.equal(inside, whole)  # it is computed otherwise
        torch.testing.assert_close(inside, whole)
        assert torch.equal(model(**inputs).logits, whole)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["bert", "lora"])
@torch.no_grad()
def test_what_a_triplet_adds_is_the_weight_that_peft_gives_without_the_others(name: str) -> None:
    model = adapted(name)
    layout = va.TripletLayout.from_model(model)
    for module in layout.modules:
        path = f"base_model.model.{module.name}"
        layer = model.get_submodule(path)
        x = torch.randn(4, 2, layer.base_layer.in_features)
        own = range(module.first, module.first + module.rank)
        with merged(model, layout) as layers:
            whole = layer(x)
            found = list(layers[path].without_each(x, whole))
            assert len(found) == module.rank
            for triplet, less in zip(own, found, strict=True):
                with without(model, layout, {*own} - {triplet}):
                    weight = layer.get_delta_weight("default")
                torch.testing.assert_close(whole - less, x @ weight.T, rtol=1e-4, atol=1e-5)
                with without(model, layout, [triplet]), apart(layer):
                    torch.testing.assert_close(less, layer(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "lora"])
@torch.no_grad()
def test_several_triplets_are_taken_out_of_the_weight_and_come_back(name: str) -> None:
    model = adapted(name)
    layout = va.TripletLayout.from_model(model)
    for module in layout.modules:
        path = f"base_model.model.{module.name}"
        layer = model.get_submodule(path)
        x = torch.randn(4, layer.base_layer.in_features)
        with merged(model, layout) as layers:
            whole = layer(x)
            with layers[path].without([0, 2]):
                less = layer(x)
            assert torch.equal(layer(x), whole)
        with without(model, layout, [module.first, module.first + 2]):
            torch.testing.assert_close(less, layer(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "lora"])
def test_peft_computes_only_the_two_passes_that_the_others_are_compared_with(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = adapted(name), some_batch()
    layout = va.TripletLayout.from_model(model)
    kind: Any = type(first_layer(model, layout))
    forward, calls = kind.forward, []

    def counted(layer: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        calls.append(layer)
        return forward(layer, *args, **kwargs)

    monkeypatch.setattr(kind, "forward", counted)
    ablate_each(model, layout, batch)
    assert len(calls) == 2 * len(layout.modules)


@torch.no_grad()
def test_a_layer_whose_weight_is_no_multiple_of_the_product_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = adapted("bert")
    layout = va.TripletLayout.from_model(model)
    layer = first_layer(model, layout)
    delta = layer.get_delta_weight
    monkeypatch.setattr(layer, "get_delta_weight", lambda name: delta(name).clamp_min(0))
    with merged(model, layout) as layers:
        assert len(layers) == len(layout.modules) - 1
        assert "forward" not in vars(layer)


def test_a_triplet_that_is_gone_already_changes_nothing_at_all() -> None:
    model, batch = adapted("bert"), some_batch()
    layout = va.TripletLayout.from_model(model)
    remove(model, layout, [1])
    layer = first_layer(model, layout)
    x = torch.randn(4, layer.base_layer.in_features)
    with merged(model, layout) as layers, torch.no_grad():
        less = list(next(iter(layers.values())).without_each(x, layer(x)))
    assert [value is None for value in less] == [k == 1 for k in range(layout.modules[0].rank)]
    effects = ablate_each(model, layout, batch)
    assert (effects.loss[1] == effects.base).all()
    assert not (effects.loss[0] == effects.base).all()


def test_layers_in_lower_precision_stay_as_they_are() -> None:
    model = adapted("bert")
    layout = va.TripletLayout.from_model(model)
    layer = first_layer(model, layout)
    layer.base_layer.to(torch.bfloat16)
    with merged(model, layout) as layers:
        assert layer not in [found.layer for found in layers.values()]
        assert len(layers) == len(layout.modules) - 1


def test_an_adapter_that_is_no_sum_of_weights_is_computed_as_it_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, batch = adapted("bert"), some_batch()
    layout = va.TripletLayout.from_model(model)
    known = ablate_each(model, layout, batch)
    layer = first_layer(model, layout)
    delta = layer.get_delta_weight
    monkeypatch.setattr(layer, "get_delta_weight", lambda name: 3 * delta(name))
    found = ablate_each(model, layout, batch)
    torch.testing.assert_close(torch.tensor(found.loss), torch.tensor(known.loss))


def test_a_variant_is_not_merged_and_its_ablations_equal_brute_force() -> None:
    """DoRA divides by the norm of W0 + BA: what it computes is not linear in a triplet."""
    torch.manual_seed(0)
    settings = {"r": 3, "target_modules": "all-linear", "init_lora_weights": False}
    config = peft.LoraConfig(task_type="SEQ_CLS", use_dora=True, **settings)
    with pefts_noise():
        model, batch = peft.get_peft_model(tiny_bert(), config).eval(), some_batch()
    layout = va.TripletLayout.from_model(model)
    with merged(model, layout) as layers:
        assert not layers
    effects = ablate_each(model, layout, batch)
    for triplet in range(layout.n_triplets):
        with without(model, layout, [triplet]), torch.no_grad():
            logits = model(**batch.inputs).logits
        loss = torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")
        torch.testing.assert_close(torch.tensor(effects.loss[triplet]), loss)
    assert abs(effects.loss - effects.base).max() > 1e-3
