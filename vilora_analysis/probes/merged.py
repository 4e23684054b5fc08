"""An adapter within the weights of its model for a while: the same function in fewer operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vilora_analysis.probes.ablation import without

if TYPE_CHECKING:
    from vilora_analysis.triplets import TripletLayout

__all__ = ["apart", "contribution", "merged"]


@contextmanager
def merged(model: nn.Module, layout: TripletLayout) -> Iterator[Mapping[str, Any]]:
    """Let adapted linear layers compute x (W0 + B diag(E) A) for the block, by one product each.

    The results differ by rounding alone. Weights are neither changed nor rounded: what stands in
    their place is dropped after the block. Layers of which this cannot be said (of another kind, in
    lower precision, with several adapters) stay as they are.

    Yields
    ------
    mapping
        The layers that are merged, by their path in the model.
    """
    modules = dict(model.named_modules())
    layers = {path: modules[path] for path in map(_path, (m.name for m in layout.modules))}
    chosen = {path: layer for path, layer in layers.items() if _simple(layer)}
    with ExitStack() as stack:
        for layer in chosen.values():
            stack.enter_context(_in_one_product(layer))
        yield chosen


@contextmanager
def apart(layer: nn.Module) -> Iterator[None]:
    """Let a merged layer compute as it did, for the block."""
    own = vars(layer).pop("forward", None)
    try:
        yield
    finally:
        if own is not None:
            layer.forward = own


@torch.no_grad()
def contribution(
    model: nn.Module, layout: TripletLayout, triplet: int, layer: Any, inputs: Tensor
) -> Tensor:
    """What one triplet adds to the output of its layer: scale E_k (x·A_k) B_k, exactly 0 if E_k is.

    Parameters
    ----------
    model, layout
        The adapted model, and its layout.
    triplet
        Index in the order of the layout.
    layer
        The adapted layer, one that :func:`merged` gave.
    inputs
        Of the layer.
    """
    (module,) = [m for m in layout.modules if m.first <= triplet < m.first + m.rank]
    others = {*range(module.first, module.first + module.rank)} - {triplet}
    with without(model, layout, others):
        weight = layer.get_delta_weight(*layer.active_adapters)
    return functional.linear(inputs, weight)


@contextmanager
def _in_one_product(layer: Any) -> Iterator[None]:
    base = layer.base_layer
    with torch.no_grad():
        weight = base.weight + layer.get_delta_weight(*layer.active_adapters)
    layer.forward = lambda x, *_, **__: functional.linear(x, weight, base.bias)
    try:
        yield
    finally:
        del layer.forward


def _simple(layer: Any) -> bool:
    base = getattr(layer, "base_layer", None)
    return (
        type(base) is nn.Linear
        and hasattr(layer, "get_delta_weight")
        and len(layer.active_adapters) == 1
        and not layer.merged
        and {p.dtype for p in layer.parameters()} <= {torch.float32}
    )


def _path(module: str) -> str:
    """Path of an adapted module in the PEFT model."""
    return f"base_model.model.{module}"
