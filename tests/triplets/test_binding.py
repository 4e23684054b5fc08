"""Names are tied to the optimizer's values by identity, never by order or shape."""

from __future__ import annotations

import copy
import random

import peft
import pytest
import torch

from tests.conftest import adalora, ivon_for, tiny_bert, trainable
from vilora_analysis.errors import LayoutError
from vilora_analysis.triplets import Binding, TripletLayout, unwrap_optimizer


def bind(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Binding:
    return Binding.create(TripletLayout.from_model(model), model, optimizer)


def marked_state(model: torch.nn.Module, binding: Binding) -> None:
    """Fill IVON's flat hess so that each parameter's share holds that parameter's number."""
    number = {id(p): float(i) for i, p in enumerate(model.parameters())}
    for group in binding.optimizer.param_groups:
        shares = [torch.full((p.numel(),), number[id(p)]) for p in group["params"]]
        group["hess"] = torch.cat(shares)


def expected_marks(model: torch.nn.Module, layout: TripletLayout) -> torch.Tensor:
    number = {name: float(i) for i, (name, _) in enumerate(model.named_parameters())}
    pieces = zip(layout.parameter_names, layout.sizes, strict=True)
    return torch.cat([torch.full((size,), number[name]) for name, size in pieces])


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_parameters_are_read_under_their_own_names(
    model: peft.PeftModel, seed: int
) -> None:
    """Query, key and value have equal shapes: reading by order would mix them up unnoticed."""
    parameters = trainable(model)
    random.Random(seed).shuffle(parameters)
    binding = bind(model, ivon_for(parameters))
    marked_state(model, binding)
    got = binding.gather_groups([g["hess"] for g in binding.optimizer.param_groups])
    assert torch.equal(got, expected_marks(model, binding.layout))


def test_several_groups_with_a_head_between_the_adapters(model: peft.PeftModel) -> None:
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    first = [p for n, p in named if "lora_A" in n or "classifier" in n]
    second = [p for n, p in named if "lora_A" not in n and "classifier" not in n]
    optimizer = ivon_for([{"params": second, "ess": 10.0}, {"params": first, "ess": 40.0}])
    binding = bind(model, optimizer)
    marked_state(model, binding)
    got = binding.gather_groups([g["hess"] for g in optimizer.param_groups])
    assert torch.equal(got, expected_marks(model, binding.layout))
    by_element = binding.per_element("ess")
    assert isinstance(by_element, torch.Tensor)
    for element in range(0, binding.layout.n_elements, 7):
        factor = binding.layout.locate(element)[2]
        assert float(by_element[element]) == (40.0 if factor == "A" else 10.0)


def test_reordering_equal_shapes_after_attaching_is_caught(model: peft.PeftModel) -> None:
    optimizer = ivon_for(trainable(model))
    binding = bind(model, optimizer)
    binding.verify()
    members = optimizer.param_groups[0]["params"]
    query, key = binding.places[0].position, binding.places[1].position
    assert members[query].shape == members[key].shape
    members[query], members[key] = members[key], members[query]
    with pytest.raises(LayoutError, match="is no longer"):
        binding.verify()


def test_a_replaced_parameter_is_caught(model: peft.PeftModel) -> None:
    optimizer = ivon_for(trainable(model))
    binding = bind(model, optimizer)
    members = optimizer.param_groups[0]["params"]
    members[3] = torch.nn.Parameter(members[3].detach().clone())
    with pytest.raises(LayoutError, match="attach the instrument again"):
        binding.verify()


def test_the_optimizer_of_a_copied_model_is_refused(model: peft.PeftModel) -> None:
    twin = copy.deepcopy(model)
    with pytest.raises(LayoutError, match="39 adapter parameters are not in the optimizer"):
        bind(model, ivon_for(trainable(twin)))


def test_a_parameter_listed_twice_is_refused(model: peft.PeftModel) -> None:
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    optimizer.param_groups[0]["params"].append(optimizer.param_groups[0]["params"][0])
    with pytest.raises(LayoutError, match="twice"):
        bind(model, optimizer)


def test_wrappers_are_taken_off() -> None:
    class Wrapper:
        def __init__(self, optimizer: torch.optim.Optimizer) -> None:
            self.optimizer = optimizer

    inner = torch.optim.SGD(trainable(adalora(tiny_bert())), lr=0.1)
    assert unwrap_optimizer(Wrapper(Wrapper(inner))) is inner
    with pytest.raises(LayoutError, match=r"expected a torch\.optim\.Optimizer"):
        unwrap_optimizer(object())


def test_accelerates_wrapper_is_taken_off() -> None:
    from accelerate import Accelerator

    inner = torch.optim.SGD(trainable(adalora(tiny_bert())), lr=0.1)
    assert unwrap_optimizer(Accelerator(cpu=True).prepare(inner)) is inner
