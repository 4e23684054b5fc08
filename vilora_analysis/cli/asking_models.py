"""Commands that ask the model itself: what each takes, with help and an example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from vilora_analysis.probes.planted import PlantedTask
from vilora_analysis.probes.speed import SpeedQuestion

__all__ = ["Bench", "Fisher", "Oracle", "Planted"]


@dataclass(frozen=True)
class Bench(SpeedQuestion):
    """Time a training step on this machine, as the paper's section V.C does, and say where it goes.

    Example: vilora bench --task sst2 --data-dir glue --threads 1 --out bench

    Copies of one model train side by side on the same batches, a step of each in turn, in random
    order: AdaLoRA with AdamW and sensitivity in PEFT's loop, with IVON, and with snr, as the paper
    compares them; the same and other criteria with this package's allocator; and recorded. Run it
    on a machine that does nothing else.
    """

    out: Path | None = None
    """Folder for tables and figure; by default none are written."""


@dataclass(frozen=True)
class Fisher:
    """Take gradients of single examples of a trained adapter, and hold h and sigma against them.

    Example: vilora fisher runs/sst2 --data-dir glue --examples 256

    Along the training it is taken by vilora train --fisher-every N.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Run directory, with its adapter."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet, as for the training."""
    out: Path | None = None
    """Folder for tables and figure; by default RUN/fisher."""
    examples: int = 256
    """Training examples."""
    batch_size: int = 16
    """Examples that go through the model together; it changes no result."""
    seed: int = 0
    """Seed of the examples."""


@dataclass(frozen=True)
class Oracle:
    """Remove every triplet of a trained adapter in turn, and hold each score against what it costs.

    Example: vilora oracle runs/sst2 --data-dir glue --examples 256

    A run that was not pruned (--criterion none) answers for all its triplets, another for those it
    kept. Interrupted, the same command goes on.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Run directory, with its adapter."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet, as for the training."""
    out: Path | None = None
    """Folder for tables and figure; by default RUN/oracle."""
    examples: int = 256
    """Held-out examples."""
    batch_size: int = 32
    """Examples that go through the model together."""
    random_sets: int = 8
    """Random sets of each size, for comparison."""
    recovery_steps: int = 0
    """Steps of training after a third was removed, for each score; 0 for none."""
    seed: int = 0
    """Seed of the examples and the random sets."""


@dataclass(frozen=True)
class Planted(PlantedTask):
    """Plant low-rank updates into an encoder, and count which scores find them in a student.

    Example: vilora planted --out runs/planted --seeds 3

    One run for each seed, unpruned, with every score recorded; finished ones are left alone.
    """

    out: Path = Path("runs/planted")
    """Folder for the runs, seed-0 and so on."""
    seeds: int = 3
    """How many, from --seed on."""
    figures: Path | None = None
    """Folder for tables and figures; by default OUT/planted."""
