"""Weights drawn from IVON's posterior for one training step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed
from torch.optim import Optimizer

from vilora_analysis.errors import LayoutError
from vilora_analysis.posterior.drawing import draws_as_known, end_draw, start_draw
from vilora_analysis.triplets import unwrap_optimizer

__all__ = ["sampled_parameters"]


@contextmanager
def sampled_parameters(optimizer: Optimizer, *, train: bool = True) -> Iterator[None]:
    """Draw the weights from IVON's posterior for the duration of the block.

    As IVON's own ``sampled_params``, but an exception inside restores the mean weights, and several
    processes draw the same weights. A no-op for optimizers without a posterior, so one loop serves
    all.

    Parameters
    ----------
    optimizer
        The optimizer whose parameters are drawn.
    train
        Whether the gradients of the block are collected for the next step.

    Raises
    ------
    LayoutError
        If a trained parameter got no gradient in the block.

    Notes
    -----
    IVON estimates the Hessian from noise times gradient. ``DistributedDataParallel`` averages the
    gradients of all processes before IVON sees them, so with noise of its own each process would
    multiply its noise with gradients that mostly do not belong to it, and the estimate would shrink
    by the number of processes. With the same noise everywhere it is the one of a single process on
    the whole batch.
    """
    inner: Any = unwrap_optimizer(optimizer)
    if not hasattr(inner, "sampled_params"):
        yield
        return
    parameters = [p for group in inner.param_groups for p in group["params"] if p is not None]
    means = [parameter.data for parameter in parameters]
    context = _drawn(inner, parameters, train=train)
    try:
        with _common_noise(parameters[0].device):
            context.__enter__()
        yield
        if train:
            _refuse_missing_gradients(parameters)
        context.__exit__(None, None, None)
    except BaseException:
        for parameter, mean in zip(parameters, means, strict=True):
            parameter.data = mean
        raise


@contextmanager
def _drawn(optimizer: Any, parameters: Sequence[Any], *, train: bool) -> Iterator[None]:
    """IVON's own context, the fast way where it is known to be the same."""
    if not draws_as_known(optimizer):
        with optimizer.sampled_params(train=train):
            yield
        return
    mean, noise = start_draw(optimizer, parameters)
    yield
    end_draw(optimizer, parameters, mean, noise, train=train)


@contextmanager
def _common_noise(device: torch.device) -> Iterator[None]:
    """Give all processes the same random numbers for the block, without touching what follows."""
    if not (distributed.is_available() and distributed.is_initialized()):
        yield
        return
    seed = torch.randint(2**62, (1,)).to(device)
    distributed.broadcast(seed, src=0)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(seed))
        yield


def _refuse_missing_gradients(parameters: list[Any]) -> None:
    missing = [p for p in parameters if p.requires_grad and p.grad is None]
    if missing:
        raise LayoutError(
            f"{len(missing)} of {len(parameters)} trained parameters got no gradient, the first of "
            f"shape {tuple(missing[0].shape)}; call backward() inside sampled_parameters, and give "
            "the optimizer only parameters that the loss depends on"
        )
