"""The optimizer of a run, and its learning-rate schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vilora_analysis.errors import require

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from vilora_analysis.training.config import RunConfig

__all__ = ["build_optimizer", "build_schedule", "learning_rate"]


def build_optimizer(model: nn.Module, config: RunConfig, *, rows: int) -> Optimizer:
    """Build IVON or AdamW over all trainable parameters.

    Parameters
    ----------
    model
        Adapted model.
    config
        The run's settings.
    rows
        Number of training rows, IVON's effective sample size where the settings say 0.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer: Optimizer
    if config.optimizer == "ivon":
        ivon: Any = require("ivon", extra="train")
        optimizer = ivon.IVON(
            trainable,
            lr=config.learning_rate,
            ess=config.ess or float(rows),
            hess_init=config.hess_init,
            beta1=config.beta1,
            beta2=config.beta2,
            weight_decay=config.weight_decay,
            clip_radius=config.clip_radius,
            sync=True,
        )
        return optimizer
    torch: Any = require("torch", extra="train")
    optimizer = torch.optim.AdamW(
        trainable, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return optimizer


def build_schedule(optimizer: Optimizer, config: RunConfig) -> LRScheduler:
    """Learning rate by step, see :func:`learning_rate`."""
    lambda_lr: Any = require("torch.optim.lr_scheduler", extra="train").LambdaLR
    peak = config.learning_rate
    schedule: LRScheduler = lambda_lr(optimizer, lambda done: learning_rate(config, done) / peak)
    return schedule


def learning_rate(config: RunConfig, done: int) -> float:
    """Learning rate of the step after ``done`` steps.

    ``linear`` rises over the warm-up and falls to 0 at the last step. ``two_level`` (the paper's
    for small data sets, section IV.C) rises to ``first_lr``, stays there until ``first_steps``, and
    then falls linearly from ``lr`` to 0.

    Examples
    --------
    >>> from vilora_analysis.training.config import configure
    >>> config = configure(preset="paper", task="rte", scale=0.1)
    >>> config.warmup, config.first_steps, config.steps
    (10, 40, 390)
    >>> [round(learning_rate(config, done), 4) for done in (0, 5, 10, 39, 40, 215, 390)]
    [0.0, 1.0, 2.0, 2.0, 0.5, 0.25, 0.0]
    """
    peak = config.learning_rate
    if config.lr_schedule == "two_level" and config.first_lr:
        first, warm = config.first_lr, config.first_steps
    else:
        first, warm = peak, config.warmup
    if done < config.warmup:
        return first * done / config.warmup
    if done < warm:
        return first
    return peak * max(0.0, (config.steps - done) / max(1, config.steps - warm))
