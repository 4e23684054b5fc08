"""The posterior at one instant: a :class:`Snapshot` taken from IVON's or any other optimizer.

The instant is the published one, after ``optimizer.step()`` and before ``zero_grad()``: mean and
standard deviation after the step, with the gradient that the step was taken with. Allocator and
recorder get the same Snapshot, so the log cannot disagree with a decision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.errors import LayoutError
from vilora_analysis.triplets import Binding, Buffers, unwrap_optimizer
from vilora_analysis.triplets.buffers import held_as

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from vilora_analysis.triplets import TripletLayout

__all__ = ["Snapshot", "has_posterior", "read_gradient", "take_snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """Every input that a score may ask for, at one step, for all adapter elements.

    Attributes
    ----------
    step
        Number of optimizer steps taken, from 1.
    layout
        The flat order of the elements.
    inputs
        Tensors of shape ``(layout.n_elements,)`` by input name (``scores.INPUTS``).
    """

    step: int
    layout: TripletLayout
    inputs: Mapping[str, Tensor]


def has_posterior(optimizer: Optimizer) -> bool:
    """Whether the optimizer keeps a diagonal Gaussian posterior, as IVON does."""
    groups = unwrap_optimizer(optimizer).param_groups
    return all({"hess", "ess", "weight_decay"} <= group.keys() for group in groups)


def read_gradient(optimizer: Optimizer) -> Tensor | None:
    """IVON's mean gradient over the samples of this step, flat over all groups.

    It has to be read before ``step()``, which drops it. None for other optimizers, whose gradients
    stay with the parameters.
    """
    # the state is a defaultdict: indexing it would add a key and change the optimizer
    average: Tensor | None = optimizer.state.get("avg_grad")  # type: ignore[call-overload]
    return average


@torch.no_grad()
def take_snapshot(
    binding: Binding,
    step: int,
    *,
    needs: Collection[str],
    gradient: Tensor | None = None,
    buffers: Buffers | None = None,
) -> Snapshot:
    """Read mu, sigma, gradient and hess of all adapter elements.

    Parameters
    ----------
    binding
        Layout tied to the optimizer.
    step
        Number of optimizer steps taken.
    needs
        Inputs to read; those of smoothing state are added by its owner.
    gradient
        What :func:`read_gradient` gave before the step; else the parameters' ``.grad`` is read.
    buffers
        What :meth:`Binding.buffers` gave, to be written over: the snapshot is then good until the
        next one is taken with them. None takes new memory.

    Raises
    ------
    LayoutError
        If the optimizer changed under the binding, a posterior is asked of one that has none, or
        a parameter has no gradient.
    """
    binding.verify()
    buffers = binding.buffers() if buffers is None else buffers
    inputs = {"mu": buffers.copy("mu", binding.parameters)}
    if "grad" in needs:
        inputs["grad"] = _gradient(binding, gradient, buffers)
    if {"sigma", "hess"} & set(needs):
        inputs |= _posterior(binding, buffers)
    return Snapshot(step, binding.layout, inputs)


def _gradient(binding: Binding, flat: Tensor | None, buffers: Buffers) -> Tensor:
    if flat is not None:
        sizes = [
            sum(map(torch.Tensor.numel, group["params"]))
            for group in binding.optimizer.param_groups
        ]
        return _gathered(binding, "grad", flat.split(sizes), buffers)
    gradients: list[Any] = [parameter.grad for parameter in binding.parameters]
    if not all(map(torch.is_tensor, gradients)):
        missing = [gradient is None for gradient in gradients].index(True)
        raise LayoutError(
            f"{binding.layout.parameter_names[missing]!r} has no gradient at the time of the step; "
            "is its module part of the forward pass, and is zero_grad() called after step()?"
        )
    return buffers.copy("grad", gradients)


def _posterior(binding: Binding, buffers: Buffers) -> dict[str, Tensor]:
    if not has_posterior(binding.optimizer):
        raise LayoutError(
            f"{type(binding.optimizer).__name__} keeps no posterior, so there is no sigma or hess; "
            "train with IVON, or choose scores that need only parameters and gradients"
        )
    flats = [group["hess"] for group in binding.optimizer.param_groups]
    hess = _gathered(binding, "hess", flats, buffers)
    sigma = buffers.flat("sigma", hess.dtype, hess.device)
    torch.add(hess, binding.per_element("weight_decay"), out=sigma)
    return {"hess": hess, "sigma": sigma.mul_(binding.per_element("ess")).rsqrt_()}


def _gathered(binding: Binding, name: str, flats: Sequence[Tensor], buffers: Buffers) -> Tensor:
    """Lay out flat what the optimizer keeps by param group."""
    out = buffers.flat(name, held_as(flats), flats[0].device)
    return binding.gather_groups(flats, out=out)
