"""The posterior at one instant: a :class:`Snapshot` taken from IVON's or any other optimizer.

The instant is the published one, after ``optimizer.step()`` and before ``zero_grad()``: mean and
standard deviation after the step, with the gradient that the step was taken with. Allocator and
recorder get the same Snapshot, so the log cannot disagree with a decision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.errors import LayoutError
from vilora_analysis.triplets import Binding, unwrap_optimizer

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
    binding: Binding, step: int, *, needs: Collection[str], gradient: Tensor | None = None
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

    Raises
    ------
    LayoutError
        If the optimizer changed under the binding, a posterior is asked of one that has none, or
        a parameter has no gradient.
    """
    binding.verify()
    inputs = {"mu": binding.gather(lambda parameter: parameter.detach())}
    if "grad" in needs:
        inputs["grad"] = _gradient(binding, gradient)
    if {"sigma", "hess"} & set(needs):
        inputs |= _posterior(binding)
    return Snapshot(step, binding.layout, inputs)


def _gradient(binding: Binding, flat: Tensor | None) -> Tensor:
    if flat is not None:
        sizes = [
            sum(p.numel() for p in group["params"]) for group in binding.optimizer.param_groups
        ]
        return binding.gather_groups(flat.split(sizes))
    for name, parameter in zip(binding.layout.parameter_names, binding.parameters, strict=True):
        if parameter.grad is None:
            raise LayoutError(
                f"{name!r} has no gradient at the time of the step; is its module part of the "
                "forward pass, and is zero_grad() called after step()?"
            )
    return binding.gather(_grad_of)


def _grad_of(parameter: Any) -> Tensor:
    gradient: Tensor = parameter.grad
    return gradient


def _posterior(binding: Binding) -> dict[str, Tensor]:
    if not has_posterior(binding.optimizer):
        raise LayoutError(
            f"{type(binding.optimizer).__name__} keeps no posterior, so there is no sigma or hess; "
            "train with IVON, or choose scores that need only parameters and gradients"
        )
    hess = binding.gather_groups([group["hess"] for group in binding.optimizer.param_groups])
    precision = binding.per_element("ess") * (hess + binding.per_element("weight_decay"))
    return {"hess": hess, "sigma": precision.rsqrt()}
