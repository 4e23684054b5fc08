"""An adapter within the weights of its model for a while: the same function in fewer operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vilora_analysis.probes.replay import computing

if TYPE_CHECKING:
    from vilora_analysis.triplets import TripletLayout
    from vilora_analysis.triplets.discovery import AdaptedModule

__all__ = ["Merged", "apart", "merged", "path_of"]


@dataclass
class Merged:
    """A layer with its adapter in its weights.

    Attributes
    ----------
    layer
        The adapted layer.
    rows
        A, shape (rank, inputs).
    columns
        By triplet, scale E_k B_k; shape (rank, outputs).
    weight
        W0 + B diag(E) A, with which the layer computes; shape (outputs, inputs).
    """

    layer: Any
    rows: Tensor
    columns: Tensor
    weight: Tensor

    @torch.no_grad()
    def without_each(self, inputs: Tensor, output: Tensor) -> Iterator[Tensor | None]:
        """The output less what each triplet adds, scale E_k (x·A_k) B_k; None where E_k is 0."""
        along = functional.linear(inputs, self.rows)
        for k, column in enumerate(self.columns):
            gone = not column.any()
            yield None if gone else torch.addcmul(output, along[..., k, None], column, value=-1)

    @contextmanager
    def without(self, gone: Sequence[int]) -> Iterator[None]:
        """Take triplets, by their numbers in the layer, out of its weight for the block."""
        whole, taken = self.weight, [*gone]
        with torch.no_grad():
            self.weight = whole - self.columns[taken].T @ self.rows[taken]
        try:
            yield
        finally:
            self.weight = whole


@contextmanager
def merged(model: nn.Module, layout: TripletLayout) -> Iterator[Mapping[str, Merged]]:
    """Let adapted linear layers compute x (W0 + B diag(E) A) for the block, by one product each.

    The results differ by rounding alone. Weights are neither changed nor rounded: what stands in
    their place is dropped after the block. Layers of which this cannot be said (of another kind, in
    lower precision, with several adapters, or with a variant like DoRA, which divides by the norm
    of the sum) stay as they are.

    Yields
    ------
    mapping
        The layers that are merged, by their path in the model.
    """
    chosen = {}
    with ExitStack() as stack:
        for module in layout.modules:
            path = path_of(module)
            layer: Any = model.get_submodule(path)
            if _simple(layer) and (found := _in_one_product(model, module, layer, stack)):
                chosen[path] = found
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
def _in_one_product(
    model: nn.Module, module: AdaptedModule, layer: Any, stack: ExitStack
) -> Merged | None:
    """Merge a layer until the stack is closed; None if its weight is no multiple of B diag(E) A."""
    delta = layer.get_delta_weight(*layer.active_adapters)
    rows: Tensor = model.get_parameter(module.parameters["A"])
    columns: Tensor = model.get_parameter(module.parameters["B"]).T
    if "E" in module.parameters:
        columns = columns * model.get_parameter(module.parameters["E"])
    # PEFT's scale is read off its own weight, so that no formula of its classes stands here again
    product = columns.T @ rows
    scale = (delta * product).sum() / product.square().sum().clamp_min(1e-30)
    if torch.dist(scale * product, delta) > 1e-4 * delta.norm():
        return None
    found = Merged(layer, rows, scale * columns, layer.base_layer.weight + delta)
    bias = layer.base_layer.bias
    stack.enter_context(
        computing(layer, lambda x, *_, **__: functional.linear(x, found.weight, bias))
    )
    return found


def _simple(layer: Any) -> bool:
    base = getattr(layer, "base_layer", None)
    return (
        type(base) is nn.Linear
        and hasattr(layer, "get_delta_weight")
        and len(layer.active_adapters) == 1
        and not layer.merged
        and not _has_variant(layer)
        and {p.dtype for p in layer.parameters()} <= {torch.float32}
    )


def _has_variant(layer: Any) -> bool:
    """Whether PEFT computes the active adapter of a layer by more than its low-rank product."""
    held = (getattr(layer, name, {}) for name in ("lora_variant", "lora_magnitude_vector"))
    return any(adapter in variants for variants in held for adapter in layer.active_adapters)


def path_of(module: AdaptedModule) -> str:
    """Path of an adapted module in the PEFT model."""
    return f"base_model.model.{module.name}"
