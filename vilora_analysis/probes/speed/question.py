"""What is timed; torch-free, so that a command can say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vilora_analysis import scores
from vilora_analysis.errors import ConfigError
from vilora_analysis.probes.speed.variants import CORE, Variant
from vilora_analysis.training.config import RunConfig, configure

__all__ = ["ALLOCATED", "RECORDED", "SpeedQuestion"]

ALLOCATED, RECORDED = 3, 10
"""Steps between two that allocate, and two that one variant records: with no common divisor, so
that both kinds of step are recorded in proportion."""


@dataclass(frozen=True)
class SpeedQuestion:
    """Settings of one measurement."""

    model: str = "bundled"
    """Hub id or local path of an encoder; 'bundled' is all-MiniLM-L6-v2 from the extra 'demo'."""
    task: str = "acceptability"
    """acceptability (embedded), or of GLUE: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet in GLUE's layout; by default the hub."""
    steps: int = 60
    """Steps of each variant that are counted."""
    warm_up: int = 5
    """Steps before them that are not."""
    batch_size: int = 16
    """Sentences a step."""
    max_length: int = 128
    """Longest sentence or pair, in tokens."""
    criteria: tuple[str, ...] = ("snr_abs", "mean_abs", "inverse_std")
    """Scores to time under IVON, beside sensitivity and snr (see `vilora scores`)."""
    allocate_every: int = 10
    """Steps between two prunings (PEFT's deltaT) that the average step is reckoned for. Of those
    measured every third prunes, so that there are enough of both kinds."""
    threads: int | None = None
    """Threads of the CPU that torch computes with; by default as many as it takes itself."""
    clock: Literal["wall", "cpu"] = "wall"
    """cpu counts the processor's time for this process, which others on a shared machine disturb
    less; for --threads 1, without an accelerator."""
    seed: int = 0
    """Seed of weights, batches, dropout, posterior's noise and the order of the variants."""

    def __post_init__(self) -> None:
        least = ALLOCATED * RECORDED
        if self.steps < least:
            raise ConfigError(
                f"steps = {self.steps}: ask for {least} or more, for all kinds of step"
            )
        if self.warm_up < 1 or self.allocate_every < 1:
            raise ConfigError(
                f"warm_up {self.warm_up} and allocate_every {self.allocate_every}: at least 1"
            )
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads = {self.threads}: at least 1")
        if self.clock not in ("wall", "cpu") or (self.clock == "cpu" and self.threads != 1):
            raise ConfigError(
                f"clock {self.clock!r} with threads {self.threads}: give wall, or cpu with threads "
                "1, since the times of several threads are added up"
            )
        for name in self.criteria:
            scores.get(name)
        self.config(CORE[0], self.rounds(accelerator=False))

    def variants(self) -> tuple[Variant, ...]:
        """What is timed: the paper's comparison, the criteria, and recording."""
        others = [Variant("ivon", scores.get(name).name) for name in self.criteria]
        recorded = [Variant("ivon", "snr", record_every=every) for every in (1, RECORDED)]
        return tuple(dict.fromkeys([*CORE, *others, *recorded]))

    def rounds(self, *, accelerator: bool) -> int:
        """Steps that each variant takes: warm-up, counted ones, and the schedule's last.

        On an accelerator as many again: each seam within a step waits for the device, which a real
        step does not, so where the time goes is asked of other steps than how long they take.
        """
        return self.warm_up + self.steps * (2 if accelerator else 1) + 1

    def config(self, variant: Variant, rounds: int) -> RunConfig:
        """Settings of a run that would train as a variant does, and prune from its first steps.

        The penalty is PEFT's loop for all of them, so that it makes no difference between them.
        """
        return configure(
            task=self.task,
            data_dir=self.data_dir,
            model=self.model,
            optimizer=variant.optimizer,
            criterion=variant.criterion,
            steps=rounds,
            batch_size=self.batch_size,
            max_length=self.max_length,
            tinit=0,
            tfinal=0,
            allocate_every=ALLOCATED,
            fast_penalty=False,
            record_every=max(1, variant.record_every),
            checkpoint_every=0,
            seed=self.seed,
        )
