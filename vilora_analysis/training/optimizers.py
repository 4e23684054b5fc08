"""The optimizer of a run, and its learning-rate schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vilora_analysis.errors import require

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from vilora_analysis.training.config import RunConfig

__all__ = ["build_optimizer", "build_schedule"]


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
    """Linear warm-up, then linear decay to 0 at the last step."""
    transformers = require("transformers", extra="train")
    schedule: LRScheduler = transformers.get_linear_schedule_with_warmup(
        optimizer, round(config.warmup * config.steps), config.steps
    )
    return schedule
