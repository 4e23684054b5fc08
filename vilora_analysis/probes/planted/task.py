"""What is planted, and how the student is trained; torch-free, so that a command can say it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vilora_analysis.errors import ConfigError
from vilora_analysis.training.config import RunConfig, configure

__all__ = ["PlantedTask", "draw_ranks"]


@dataclass(frozen=True)
class PlantedTask:
    """Settings of one planted task; the defaults need no data and a few minutes on a CPU."""

    seed: int = 0
    """Seed of the plant, the student's weights, the order of the texts and posterior's noise."""
    modules: int = 6
    """Modules that get an update, drawn from all linear layers of the encoder."""
    effect: float = 0.02
    """Change of the outputs by one planted rank: root mean square over the outputs' own standard
    deviation. An update of rank r alone changes them by effect times the square root of r."""
    model: str = "bundled"
    """Hub id or local path of an encoder; 'bundled' is all-MiniLM-L6-v2 from the extra 'demo'."""
    texts: str = "acceptability"
    """Task whose texts are used, without its labels: acceptability (embedded), or one of GLUE."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet, for texts of GLUE; by default the hub."""
    held_out: int = 64
    """Held-out texts that the oracle is asked on."""
    optimizer: Literal["ivon", "adamw"] = "ivon"
    """IVON keeps a posterior (mu, sigma); AdamW does not."""
    steps: int = 200
    """Optimizer steps of the student."""
    batch_size: int = 16
    """Texts a step."""
    lr: float | None = None
    """Peak learning rate; by default that of `vilora train`."""
    alpha: float = 128.0
    """Scale of the student's updates, divided by init_rank."""
    init_rank: int = 4
    """Rank of the student's adapter in every matrix, and the highest planted rank."""
    orth_reg_weight: float = 0.1
    """Weight of AdaLoRA's orthogonality penalty."""
    max_length: int = 48
    """Longest text in tokens."""
    record_every: int = 10
    """Steps between two recorded ones."""

    def __post_init__(self) -> None:
        counts = ("modules", "effect", "held_out", "init_rank", "record_every")
        for name in counts:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} = {getattr(self, name)}: must be greater than 0")
        if self.steps % self.record_every:
            raise ConfigError(
                f"record_every {self.record_every} does not divide the {self.steps} steps, so that "
                "the last would not be recorded; choose another"
            )
        self.training()

    def training(self) -> RunConfig:
        """Settings of the student's optimizer and its schedule, as ``vilora train`` has them.

        Raises
        ------
        ConfigError
            As :class:`vilora_analysis.training.config.RunConfig`.
        """
        names = ("seed", "steps", "batch_size", "lr", "alpha", "init_rank", "orth_reg_weight")
        shared = {name: getattr(self, name) for name in (*names, "optimizer", "max_length")}
        rank = min(4, self.init_rank)
        return configure(criterion="none", task=self.texts, target_rank=rank, **shared)

    def as_dict(self) -> dict[str, Any]:
        """Plain values that decide what comes out; not where the texts lay."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["lr"] = self.training().learning_rate
        del values["data_dir"]
        return values


def draw_ranks(task: PlantedTask, modules: Sequence[str]) -> dict[str, int]:
    """Draw which modules get an update, and of which rank: 1 to init_rank, all equally likely.

    Parameters
    ----------
    task
        Its seed decides.
    modules
        Names of all linear layers of the encoder.

    Returns
    -------
    dict
        Rank by module, in the order of ``modules``.

    Raises
    ------
    ConfigError
        If there are fewer modules than are to be planted.

    Examples
    --------
    >>> draw_ranks(PlantedTask(modules=2), ["query", "key", "value"])
    {'key': 4, 'value': 3}
    """
    if task.modules > len(modules):
        raise ConfigError(
            f"modules = {task.modules}: the encoder has {len(modules)} linear layers; plant fewer"
        )
    import numpy as np  # a command's help does without

    generator = np.random.default_rng([task.seed, len(modules)])
    chosen = np.sort(generator.choice(len(modules), task.modules, replace=False))
    ranks = generator.integers(1, task.init_rank, size=task.modules, endpoint=True)
    return {modules[i]: int(rank) for i, rank in zip(chosen, ranks, strict=True)}
