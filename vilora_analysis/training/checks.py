"""Which settings no run can have, said before anything heavy is loaded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilora_analysis import scores
from vilora_analysis.errors import ConfigError
from vilora_analysis.training.regularised import check_allocation
from vilora_analysis.training.tasks import get_task

if TYPE_CHECKING:
    from vilora_analysis.training.config import RunConfig

__all__ = ["as_path", "check"]


def as_path(name: str, given: Any) -> Path | None:
    """Path that a setting was given as one, or as text.

    Raises
    ------
    ConfigError
        If it is empty, or neither.
    LogError
        If it is the run directory, and not one of this machine.
    """
    if given is None:
        return None
    if isinstance(given, str) and not given.strip():
        raise ConfigError(f"{name} is empty; name a path, or leave it out")
    if name == "out" and ":" in str(given):
        from vilora_analysis.log.places import local_output  # what it loads the usual case spares

        return local_output(given, "--out")
    if not isinstance(given, str | Path):
        raise ConfigError(f"{name} = {given!r} is no path")
    return Path(given)


def check(config: RunConfig) -> None:
    """Refuse settings that no run can have, or that contradict each other.

    Raises
    ------
    ViloraError
        Naming the setting, what it is, and what it may be.
    """
    _check_data(config)
    if config.optimizer not in ("ivon", "adamw"):
        raise ConfigError(f"optimizer {config.optimizer!r} is neither 'ivon' nor 'adamw'")
    if config.method not in ("adalora", "lora", "full_ft"):
        raise ConfigError(f"method {config.method!r} is none of 'adalora', 'lora', 'full_ft'")
    _check_numbers(config)
    _check_fisher(config)
    check_allocation(config)
    _check_criterion(config)
    if config.method == "adalora":
        config.schedule(matrices=1)


def _check_data(config: RunConfig) -> None:
    if config.train_file is None:
        get_task(config.task)
        if config.validation_file or config.text_columns:
            raise ConfigError("validation_file and text_columns go with train_file; give it")
    elif not (config.validation_file and 1 <= len(config.text_columns) <= 2):
        raise ConfigError(
            "train_file needs validation_file, and text_columns with one or two column names"
        )
    if not config.model.strip():
        raise ConfigError("model is empty; give a hub id, a local path, or bundled")
    if not re.fullmatch(r"[\w.+-]{1,100}", config.task):
        raise ConfigError(
            f"task {config.task!r} names the run's folder: letters, digits, and ._+- only, 100 at "
            "most"
        )
    if config.out is not None and (config.out.name in ("", "..") or "\0" in str(config.out)):
        raise ConfigError(f"out = {config.out}: no name of a folder of its own for the run")
    if config.task == "acceptability" and config.data_dir is not None:
        raise ConfigError("task acceptability is generated; leave --data-dir out")


def _check_numbers(config: RunConfig) -> None:
    counts = ("steps", "batch_size", "init_rank", "max_length", "record_every", "scale")
    positive = (*counts, "alpha", "allocate_every", "hess_init", "clip_radius")
    _require(config, positive, lambda value: value > 0, "must be greater than 0")
    optional = ("lr", "first_lr")
    _require(config, optional, lambda value: value is None or value > 0, "must be above 0")
    natural = ("ess", "weight_decay", "orth_reg_weight", "eval_every", "elements_every", "seed")
    counted = ("checkpoint_every", "warmup_steps", "first_steps", "eval_samples", "target_rank")
    whole = (*natural, *counted, "fisher_every")
    _require(config, whole, lambda value: value is None or value >= 0, "must not be negative")
    _require(config, ("beta1", "beta2"), lambda value: 0 <= value < 1, "lies in [0, 1)")
    finite = ("ess", "weight_decay", "hess_init", "alpha", "orth_reg_weight", "scale")
    _require(
        config,
        (*optional, *finite),
        lambda value: value is None or value < math.inf,
        "must be finite",
    )
    _require(config, ("seed",), lambda value: value < 2**32, "must be below 2^32")
    sizes = ("steps", "batch_size", "init_rank", "target_rank", "max_length", "eval_samples")
    _require(config, sizes, lambda value: value < 2**31, "must be below 2^31")
    if config.lr_schedule == "two_level" and not (
        config.first_lr and config.warmup <= config.first_steps < config.steps
    ):
        raise ConfigError(
            f"lr_schedule two_level needs first_lr, and warmup_steps {config.warmup} <= "
            f"first_steps {config.first_steps} < steps {config.steps}"
        )
    if config.warmup > config.steps:
        raise ConfigError(f"warmup_steps {config.warmup} exceed the {config.steps} steps")


def _check_fisher(config: RunConfig) -> None:
    if not config.fisher_every:
        return
    _require(config, ("fisher_examples",), lambda value: value >= 4, "must be at least 4")
    if config.method == "full_ft":
        raise ConfigError("fisher_every needs an adapter; with method full_ft leave it at 0")
    if config.fisher_every % config.record_every:
        raise ConfigError(
            f"fisher_every {config.fisher_every} is no multiple of record_every "
            f"{config.record_every}, so the log would have nothing to hold it against"
        )


def _require(
    config: RunConfig, names: Iterable[str], holds: Callable[[Any], bool], rule: str
) -> None:
    for name in names:
        if not holds(getattr(config, name)):
            raise ConfigError(f"{name} = {getattr(config, name)}: {rule}")


def _check_criterion(config: RunConfig) -> None:
    for word in config.scores:
        if not scores.family(word):
            scores.get(word)
    if config.eval_samples and config.optimizer != "ivon":
        raise ConfigError(f"eval_samples need a posterior; {config.optimizer} keeps none")
    if config.method == "lora" and not config.target_rank:
        raise ConfigError("target_rank = 0: LoRA needs a rank of at least 1")
    if config.criterion == "none":
        return
    if config.method != "adalora":
        raise ConfigError(
            f"method {config.method} has no singular values to prune; criterion must be 'none', "
            f"got {config.criterion!r}"
        )
    score = scores.get(config.criterion)
    if score.needs_posterior and config.optimizer != "ivon":
        free = [name for name in scores.names() if not scores.get(name).needs_posterior]
        raise ConfigError(
            f"criterion {score.name!r} needs a posterior, which {config.optimizer} does not "
            f"keep; use --optimizer ivon, or one of: {', '.join(free)}"
        )
