"""The trained adapter of a run, live again: loaded as PEFT does, numbered as the log is."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vilora_analysis.errors import ConfigError, LogError, require
from vilora_analysis.log import Run
from vilora_analysis.log.places import refuse_remote
from vilora_analysis.training import processes
from vilora_analysis.training.config import RunConfig
from vilora_analysis.training.models import Encoder, load_pretrained
from vilora_analysis.training.tasks import Task
from vilora_analysis.triplets import TripletLayout

__all__ = ["Adapted", "config_of", "load_adapted", "with_adapter"]


@dataclass(frozen=True)
class Adapted:
    """A trained adapter on its model.

    Attributes
    ----------
    encoder
        The adapted model, in evaluation mode, with its tokenizer.
    layout
        Its layout.
    ks
        By triplet of the layout its k in the log, where pruned ones have numbers too.
    """

    encoder: Encoder
    layout: TripletLayout
    ks: tuple[int, ...]

    @property
    def model(self) -> Any:
        """The adapted model."""
        return self.encoder.model


def config_of(run: Run, data_dir: Path | None) -> RunConfig:
    """Settings that a run was made with, and where its data lies now.

    Raises
    ------
    LogError
        If the run was not made by ``vilora train``.
    ConfigError
        If it was trained on files of one's own.
    """
    refuse_remote(run.path, "asking the model", "copy the run here, ask, and copy the answer back")
    known = {item.name for item in fields(RunConfig)}
    config = run.manifest.config
    unknown = [name for name in ("task", "model", "method") if name not in config]
    if unknown:
        raise LogError(
            f"{run.path} was not made by vilora train: its configuration has no "
            f"{', '.join(unknown)}; in a script of your own, use probes.effects.ablate_each or "
            "vilora_analysis.fisher.measure"
        )
    settings = {name: value for name, value in config.items() if name in known}
    settings["text_columns"] = tuple(settings.get("text_columns", ()))
    if settings["text_columns"]:
        raise ConfigError(f"{run.path} was trained on files of one's own, which it does not name")
    return RunConfig(**{**settings, "data_dir": data_dir})


def load_adapted(run: Run, config: RunConfig, task: Task) -> Adapted:
    """Load the adapter of a finished run.

    Raises
    ------
    LogError
        If the run is not finished, or has no adapter.
    ConfigError
        If its model cannot be loaded.
    """
    folder = run.path / "adapter"
    if run.manifest.status != "finished":
        raise LogError(f"{run.path} is not finished; resume it first, with --resume")
    if not (folder / "adapter_config.json").exists():
        raise LogError(f"{run.path} has no adapter to ask about")
    encoder = load_pretrained(config.model, task, config.max_length)
    encoder.model = with_adapter(encoder.model, folder)
    encoder.model.to(processes.device()).eval()
    layout = TripletLayout.from_model(encoder.model)
    return Adapted(encoder, layout, _numbers_in_log(encoder.model, layout))


def with_adapter(model: Any, folder: Path) -> Any:
    """Put a saved adapter on its base model, trainable."""
    peft = require("peft", extra="train")
    with warnings.catch_warnings():
        # PEFT reads an AdaLoRA pattern as one of LoRA's and finds no module of that name
        warnings.filterwarnings("ignore", message=".*rank_pattern keys did not match")
        warnings.simplefilter("ignore", FutureWarning)
        return peft.PeftModel.from_pretrained(model, folder, is_trainable=True)


def _numbers_in_log(model: Any, layout: TripletLayout) -> tuple[int, ...]:
    """PEFT numbers what it kept from 0; the log counts what was pruned as well."""
    pattern = next(iter(model.peft_config.values())).rank_pattern
    rows = layout.pattern_rows(pattern) if pattern else [[True] * m.rank for m in layout.modules]
    return tuple(k for row in rows for k, alive in enumerate(row) if alive)
