"""Gradients of examples against one backward pass an example, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch.nn import functional

from tests.conftest import adalora, ivon_for, lora, tiny_bert, trainable
from tests.recording.test_architectures import ENCODERS
from vilora_analysis.errors import ConfigError, LayoutError
from vilora_analysis.fisher import (
    GradientMoments,
    example_fisher,
    example_gradients,
    penalty_gradient,
)
from vilora_analysis.fisher import example as module
from vilora_analysis.triplets import TripletLayout

WRAPS = [adalora, lora]


def adapted(wrap: Any, base: torch.nn.Module) -> Any:
    model = wrap(base)
    torch.manual_seed(3)
    for parameter in trainable(model):
        torch.nn.init.normal_(parameter, std=0.3)  # of a fresh adapter most gradients vanish
    return model


def padded(examples: int = 5, seed: int = 2) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 60, (examples, 7), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(examples):
        mask[row, 7 - row % 4 :] = 0
    return {"input_ids": ids, "attention_mask": mask}, ids[:, 0] % 2


def naive(model: Any, layout: TripletLayout, inputs: Any, labels: Any) -> torch.Tensor:
    """A loop over examples, each with its own backward pass and the library's own loss."""
    rows, live = [], dict(model.named_parameters())
    for i in range(len(labels)):
        model.zero_grad()
        one = {name: value[i : i + 1] for name, value in inputs.items()}
        logits = model(**one).logits
        if logits.shape[-1] == 1:
            functional.mse_loss(logits.squeeze(), labels[i]).backward()
        else:
            functional.cross_entropy(logits, labels[i : i + 1]).backward()
        rows.append(torch.cat([live[name].grad.flatten() for name in layout.parameter_names]))
    model.zero_grad()
    return torch.stack(rows)


def assert_close(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=float(expected.abs().max()) * 2e-6)


def no_loop(*_: Any) -> Any:
    raise AssertionError("one by one")


@pytest.mark.parametrize("wrap", WRAPS)
def test_all_at_once_is_what_one_by_one_gives(wrap: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = adapted(wrap, tiny_bert(dropout=0.2)).eval()
    layout = TripletLayout.from_model(model)
    inputs, labels = padded()
    expected = naive(model, layout, inputs, labels)
    monkeypatch.setattr(module, "_one_by_one", no_loop)
    got = example_gradients(model, layout, inputs, labels)
    assert got.shape == (5, layout.n_elements)
    assert (expected.norm(dim=1) > 0).all()
    assert_close(got, expected)


@pytest.mark.parametrize("name", list(ENCODERS))
@pytest.mark.parametrize("wrap", WRAPS)
def test_of_every_architecture(name: str, wrap: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = ENCODERS[name]
    torch.manual_seed(0)
    base = transformers.AutoModelForSequenceClassification.from_config(config)
    model = adapted(wrap, base).eval()
    layout = TripletLayout.from_model(model)
    inputs, labels = padded()
    expected = naive(model, layout, inputs, labels)
    if name != "deberta-v3":  # its table of relative positions is shared by the examples
        monkeypatch.setattr(module, "_one_by_one", no_loop)
    assert_close(example_gradients(model, layout, inputs, labels), expected)


def test_of_a_regression_and_of_pruned_triplets() -> None:
    config = transformers.BertConfig(**{**tiny_bert().config.to_dict(), "num_labels": 1})
    torch.manual_seed(0)
    model = adapted(adalora, transformers.BertForSequenceClassification(config)).eval()
    layout = TripletLayout.from_model(model)
    with torch.no_grad():
        dict(model.named_parameters())[layout.modules[0].parameters["E"]][1] = 0.0
    inputs, _ = padded()
    labels = torch.tensor([0.5, -1.0, 2.0, 0.0, 1.5])
    got = example_gradients(model, layout, inputs, labels)
    assert_close(got, naive(model, layout, inputs, labels))
    squares = layout.reduce(got.square().mean(0))
    assert (squares["A"][1], squares["B"][1]) == (0, 0)
    assert squares["E"][1] > 0


def test_moments_are_over_all_batches(model: Any) -> None:
    model.eval()
    layout = TripletLayout.from_model(model)
    first, second = padded(4), padded(3, seed=5)
    moments = example_fisher(model, layout, [first, second])
    rows = torch.cat([naive(model, layout, *batch) for batch in (first, second)]).double()
    assert moments.count == 7
    assert_close(moments.fisher, rows.square().mean(0))
    assert_close(moments.mean, rows.mean(0))
    assert_close(moments.variance, rows.var(0))


def test_the_mean_and_the_penalty_are_the_gradient_of_the_training_loss() -> None:
    model = adapted(adalora, tiny_bert()).eval()
    layout = TripletLayout.from_model(model)
    inputs, labels = padded()
    penalty = penalty_gradient(model, layout, inputs, labels)
    mean = GradientMoments.of(example_gradients(model, layout, inputs, labels)).mean
    model(**inputs, labels=labels).loss.backward()
    live = dict(model.named_parameters())
    expected = layout.gather(live[name].grad for name in layout.parameter_names)
    assert_close((mean + penalty).float(), expected)
    model.zero_grad()
    terms = []
    for name in layout.parameter_names:
        p = live[name]
        if ".lora_E." not in name:
            covariance = p @ p.T if ".lora_A." in name else p.T @ p
            terms.append((covariance - torch.eye(len(covariance))).norm())
    weight = model.peft_config["default"].orth_reg_weight
    (weight * sum(terms) / len(terms)).backward()
    zero = torch.zeros(())
    by_hand = layout.gather(
        zero.expand(live[n].shape) if live[n].grad is None else live[n].grad
        for n in layout.parameter_names
    )
    assert_close(penalty, by_hand)


def test_lora_has_no_penalty() -> None:
    model = adapted(lora, tiny_bert())
    layout = TripletLayout.from_model(model)
    assert penalty_gradient(model, layout, *padded()).abs().max() < 1e-9


def test_nothing_about_the_model_changes() -> None:
    model = adapted(adalora, tiny_bert(dropout=0.3))
    model.train()
    frozen = model.base_model.model.bert.encoder.layer[1]
    frozen.eval()
    optimizer = ivon_for(trainable(model))
    with optimizer.sampled_params(train=True):
        model(**padded()[0], labels=padded()[1]).loss.backward()
    before = {
        "modes": [m.training for m in model.modules()],
        "weights": [p.detach().clone() for p in model.parameters()],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "average": optimizer.state["avg_grad"].clone(),
        "random": torch.get_rng_state(),
    }
    example_fisher(model, TripletLayout.from_model(model), [padded()])
    assert [m.training for m in model.modules()] == before["modes"]
    assert torch.equal(torch.get_rng_state(), before["random"])
    assert torch.equal(optimizer.state["avg_grad"], before["average"])
    for parameter, weight, grad in zip(
        model.parameters(), before["weights"], before["grads"], strict=True
    ):
        assert torch.equal(parameter, weight)
        assert (parameter.grad is None) if grad is None else torch.equal(parameter.grad, grad)
    assert not any(m._forward_hooks for m in model.modules())


def test_modes_come_back_after_an_error(model: Any) -> None:
    model.train()
    with pytest.raises(ConfigError, match="no examples"):
        example_fisher(model, TripletLayout.from_model(model), [])
    assert all(m.training for m in model.modules())


def test_training_mode_is_refused(model: Any) -> None:
    model.train()
    with pytest.raises(LayoutError, match="evaluation mode"):
        example_gradients(model, TripletLayout.from_model(model), *padded())


def test_random_numbers_in_an_adapted_layer_are_noticed() -> None:
    model = adapted(adalora, tiny_bert()).eval()
    layout = TripletLayout.from_model(model)
    layer = model.get_submodule(f"base_model.model.{layout.modules[3].name}")
    forward = layer.forward
    # another map in the second call than in the first
    factors = iter([1.0, 3.0])
    layer.forward = lambda x: forward(x) * next(factors)
    with pytest.raises(LayoutError, match="do not add up"):
        example_gradients(model, layout, *padded())


def test_an_adapter_that_takes_no_part_is_refused(model: Any) -> None:
    model.eval()
    layout = TripletLayout.from_model(model)
    pooler = model.get_submodule("base_model.model.bert.pooler")
    pooler.forward = lambda hidden: hidden[:, 0]
    with pytest.raises(LayoutError, match="takes no part"):
        example_gradients(model, layout, *padded())
