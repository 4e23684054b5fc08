"""Settings of regularised allocation: do they fit together, and with the rest of a run?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vilora_analysis.errors import ConfigError

if TYPE_CHECKING:
    from vilora_analysis.training.config import RunConfig

__all__ = ["check_allocation"]


def check_allocation(config: RunConfig) -> None:
    """Refuse a penalty without ``allocation`` l1, and l1 where it cannot be had.

    Raises
    ------
    ConfigError
        Naming the setting, what was expected and what was got.
    """
    if config.allocation not in ("budget", "l1"):
        raise ConfigError(f"allocation {config.allocation!r} is neither 'budget' nor 'l1'")
    if config.l1_metric not in ("optimizer", "euclidean"):
        raise ConfigError(f"l1_metric {config.l1_metric!r} is neither 'optimizer' nor 'euclidean'")
    if config.allocation == "l1":
        _check_l1(config)
    elif config.l1_penalty:
        raise ConfigError(f"l1_penalty = {config.l1_penalty} goes with allocation 'l1'")


def _check_l1(config: RunConfig) -> None:
    if not 0 < config.l1_penalty < math.inf:
        raise ConfigError(
            f"l1_penalty = {config.l1_penalty}: allocation 'l1' needs one greater than 0 and "
            "finite, for example 1e-3"
        )
    if config.method != "adalora":
        raise ConfigError(
            f"allocation 'l1' shrinks AdaLoRA's singular values; {config.method} has none"
        )
    if config.criterion != "none":
        raise ConfigError(
            f"allocation 'l1' prunes by no score; criterion must be 'none', got "
            f"{config.criterion!r}"
        )
