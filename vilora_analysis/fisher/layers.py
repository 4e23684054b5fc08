"""What an adapted layer saw in a pass, and its gradient example by example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

if TYPE_CHECKING:
    from vilora_analysis.triplets import AdaptedModule, TripletLayout

__all__ = ["Call", "Calls", "layer_gradients", "tells_apart"]


@dataclass(frozen=True)
class Call:
    """One call of a layer: its input, without history, and its output."""

    input: Tensor
    output: Tensor


class Calls(dict[str, list[Call]]):
    """Calls of each adapted module, by its name in the base model."""

    @classmethod
    @contextmanager
    def of(cls, model: nn.Module, layout: TripletLayout) -> Iterator[Calls]:
        """Note the calls within the block."""
        calls = cls({module.name: [] for module in layout.modules})
        hooks = [
            _layer(model, module).register_forward_hook(calls._noting(module.name))
            for module in layout.modules
        ]
        try:
            yield calls
        finally:
            for hook in hooks:
                hook.remove()

    def _noting(self, name: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self[name].append(Call(inputs[0].detach(), output))

        return hook


def tells_apart(calls: Calls, layout: TripletLayout, examples: int) -> bool:
    """Whether every adapted layer was called once, on all examples of the batch."""
    return all(
        len(calls[module.name]) == 1
        and len(calls[module.name][0].input) == len(calls[module.name][0].output) == examples
        for module in layout.modules
    )


def layer_gradients(
    model: nn.Module, module: AdaptedModule, call: Call, upstream: Tensor
) -> dict[str, Tensor]:
    """Gradient of each example for the parameters of one adapted module.

    Parameters
    ----------
    model, module
        The adapted model, and one of its adapted modules.
    call
        What the module was given, shape (examples, ..., in).
    upstream
        Gradient of the summed losses for what it returned, shape (examples, ..., out).

    Returns
    -------
    dict of str to Tensor
        By full parameter name, shape (examples, rows, columns).
    """
    layer, live = _layer(model, module), dict(model.named_parameters())
    prefix = f"{_path(module)}."
    own = {name.removeprefix(prefix): live[name].detach() for name in module.parameters.values()}

    def pulled_back(parameters: Mapping[str, Tensor], given: Tensor, above: Tensor) -> Tensor:
        output: Tensor = functional_call(layer, dict(parameters), (given,))
        return (output * above).sum()

    found = vmap(grad(pulled_back), in_dims=(None, 0, 0))(own, call.input, upstream)
    return {prefix + name: gradient for name, gradient in found.items()}


def _layer(model: nn.Module, module: AdaptedModule) -> nn.Module:
    return model.get_submodule(_path(module))


def _path(module: AdaptedModule) -> str:
    """Path of the adapted module: its parameters' names up to PEFT's part of them."""
    return module.parameters["A"].rpartition(".lora_A.")[0]
