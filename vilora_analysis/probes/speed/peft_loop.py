"""PEFT's allocator with snr in the place of its sensitivity: the paper's change, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from vilora_analysis.errors import ConfigError

__all__ = ["score_in_pefts_loop"]


def score_in_pefts_loop(model: Any, optimizer: Optimizer, criterion: str) -> None:
    r"""Let PEFT's ``RankAllocator`` prune by a score.

    Its loop over the parameters, its threshold and its masks stay as they are. Under snr it has
    nothing to update between two prunings, and an element's score is
    :math:`|\mu| \sqrt{\lambda (h + \delta)}` (Chen and Garner, section III.B and V.C).

    Parameters
    ----------
    model
        ``PeftModel`` with an AdaLoRA adapter.
    optimizer
        IVON, for snr.
    criterion
        ``"sensitivity"`` leaves the allocator alone; else ``"snr"``.

    Raises
    ------
    ConfigError
        For any other.
    """
    if criterion == "sensitivity":
        return
    if criterion != "snr":
        raise ConfigError(f"PEFT's loop is timed with sensitivity and snr, not with {criterion!r}")
    allocator: Any = model.base_model.rankallocator
    allocator.update_ipt = lambda _model: None
    allocator._element_score = _snr(model.base_model.model, optimizer)


def _snr(model: nn.Module, optimizer: Any) -> Callable[[str], Tensor]:
    parameters = dict(model.named_parameters())
    places = {}
    for group in optimizer.param_groups:
        start = 0
        for parameter in group["params"]:
            places[id(parameter)] = (group, start)
            start += parameter.numel()

    def score(name: str) -> Tensor:
        mu = parameters[name].detach()
        group, start = places[id(parameters[name])]
        hess = group["hess"][start : start + mu.numel()].view_as(mu)
        snr: Tensor = mu.abs() * (group["ess"] * (hess + group["weight_decay"])).sqrt()
        return snr

    return score
