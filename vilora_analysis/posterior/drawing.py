"""IVON's draw of the weights, and its end, on whole vectors in place of one parameter at a time.

IVON adds its noise, puts the means back and collects the gradient parameter by parameter; on the
adapter of a 12-layer model that takes longer than its step and the allocation together. Here each
is one call for all parameters, with the same numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["draws_as_known", "end_draw", "start_draw"]

_METHODS = ("sampled_params", "_sample_params", "_restore_param_average")


def draws_as_known(optimizer: Any) -> bool:
    """Whether the optimizer draws by the methods of ivon-opt that this file knows.

    A subclass with a draw of its own does not, nor do parameters that no vector can hold together.
    """
    if any(f"IVON.{name}" != _qualified(optimizer, name) for name in _METHODS):
        return False
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return (
        optimizer.hess_approx in ("price", "gradsq")
        and all(p is not None and p.requires_grad for p in parameters)
        and len({(p.dtype, p.device) for p in parameters}) == 1
    )


def _qualified(optimizer: Any, name: str) -> str:
    method = getattr(optimizer, name, None)  # of the optimizer itself: it may hold one of its own
    known = getattr(method, "__module__", "").partition(".")[0] == "ivon"
    return getattr(method, "__qualname__", "") if known else ""


def start_draw(optimizer: Any, parameters: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Move the parameters from their means to a draw.

    Returns
    -------
    tuple of Tensor
        Mean and noise, flat over all parameters.
    """
    mean = _flatten_dense_tensors([parameter.data for parameter in parameters])
    noise = torch.cat([_noise(optimizer, group) for group in optimizer.param_groups])
    # each in memory of its own: how a matrix product rounds depends on where its factors begin
    drawn = torch._foreach_add([*_views(mean, parameters)], [*_views(noise, parameters)])
    _place(parameters, drawn)
    return mean, noise


def _noise(optimizer: Any, group: dict[str, Any]) -> Tensor:
    """N(0, σ²) with σ = 1/sqrt(ess (h + δ)), as IVON takes it from the generator."""
    hess = group["hess"]
    normal = torch.randn(group["numel"], device=hess.device, dtype=optimizer._dtype)
    noise: Tensor = normal / (group["ess"] * (hess + group["weight_decay"])).sqrt()
    return noise


def end_draw(
    optimizer: Any, parameters: Sequence[Any], mean: Tensor, noise: Tensor, *, train: bool
) -> None:
    """Put the means back and, for a training step, take up the gradient at the draw."""
    _place(parameters, _views(mean, parameters))
    if not train:
        return
    gradient = _flatten_dense_tensors([parameter.grad for parameter in parameters])
    state = optimizer.state
    state["count"] += 1
    _average(state, "avg_grad", gradient)
    if optimizer.hess_approx == "price":
        _average(state, "avg_nxg", noise * gradient)
    else:
        _average(state, "avg_gsq", gradient.square())


def _average(state: Any, name: str, value: Tensor) -> None:
    """Running mean over the draws of one step."""
    before = state[name]
    state[name] = value if before is None else before + (value - before) / state["count"]


def _views(flat: Tensor, parameters: Sequence[Any]) -> Sequence[Tensor]:
    views: Sequence[Tensor] = _unflatten_dense_tensors(flat, parameters)
    return views


def _place(parameters: Sequence[Any], values: Sequence[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.data = value
