"""One of several models that train side by side, step by step, each in its own way."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilora_analysis.posterior import sampled_parameters
from vilora_analysis.probes.speed.peft_loop import score_in_pefts_loop
from vilora_analysis.probes.speed.seams import seams_of_model, seams_of_optimizer
from vilora_analysis.recording import Recording, instrument
from vilora_analysis.training.checkpoint import random_state, restore_random_state
from vilora_analysis.training.optimizers import build_optimizer, build_schedule

if TYPE_CHECKING:
    from vilora_analysis.probes.speed.stopwatch import Stopwatch
    from vilora_analysis.probes.speed.variants import Variant
    from vilora_analysis.training import RunConfig

__all__ = ["Replica", "copy_trained"]


def copy_trained(model: Any) -> Any:
    """Copy what is trained of a model; what is frozen is shared with it."""
    frozen = {id(p): p for p in model.parameters() if not p.requires_grad}
    return copy.deepcopy(model, frozen)


class Replica:
    """A copy of a model with its own optimizer, allocator, recording and random numbers.

    It trains as :func:`vilora_analysis.training.run.train` does, bit by bit.

    Parameters
    ----------
    variant
        In which way.
    config
        Settings of the run.
    model
        Adapted model, used by nobody else.
    rows
        Rows of the training data.
    out
        Run directory to be, if the variant is recorded.
    watch
        Times the steps.
    """

    def __init__(
        self,
        variant: Variant,
        config: RunConfig,
        model: Any,
        rows: int,
        out: Path,
        watch: Stopwatch,
    ) -> None:
        self.variant, self.model, self.directory = variant, model, out
        self.optimizer = build_optimizer(model, config, rows=rows)
        self.schedule = build_schedule(self.optimizer, config)
        self.recording: Recording | None = None
        self._watch, self._steps = watch, 0
        self._random = random_state()
        self._around = "update" if variant.allocator == "peft" else "recording"
        seams_of_model(model, watch)
        with seams_of_optimizer(self.optimizer, watch, self._around):
            if variant.allocator == "peft":
                score_in_pefts_loop(model, self.optimizer, variant.criterion)
            else:
                self.recording = self._instrument(config)

    def _instrument(self, config: RunConfig) -> Recording:
        return instrument(
            self.model,
            self.optimizer,
            self.directory if self.variant.record_every else None,
            criterion=config.criterion,
            scores=config.scores,
            every=config.record_every,
            flush_seconds=float("inf"),  # written out, and timed, at the end
            config=config.as_dict(),
        )

    def step(self, batch: Mapping[str, Any], *, seams: bool) -> dict[str, float]:
        """Take one step.

        Returns
        -------
        dict
            ``seconds`` of the step, its ``loss`` (with the penalty), and with seams
            ``seconds.PHASE`` of each of its :data:`PHASES`.
        """
        restore_random_state(self._random)
        self._watch.start(seams=seams)
        loss = self._train(batch)
        seconds = self._watch.stop()
        self._random = random_state()
        laps = self._watch.laps if seams else {}
        parts = {f"seconds.{phase}": lap for phase, lap in laps.items()}
        return {"seconds": seconds, "loss": float(loss), **parts}

    def _train(self, batch: Mapping[str, Any]) -> Any:
        self._steps += 1
        lap = self._watch.lap
        with sampled_parameters(self.optimizer):
            lap("update")
            loss = self.model(**batch).loss
            lap("penalty")
            loss.backward()
            lap("backward")
        lap("update")
        self.optimizer.step()
        lap(self._around)
        if self.variant.allocator == "peft":
            self.model.base_model.update_and_allocate(self._steps)
        self.schedule.step()
        self.optimizer.zero_grad()
        lap("rest")
        return loss.detach()

    def close(self, *, failed: bool = False) -> None:
        """Finish the log, if there is one."""
        if self.recording is not None:
            self.recording.close(failed=failed)

    @property
    def bytes_written(self) -> int:
        """Of the table of triplets."""
        return sum(file.stat().st_size for file in self.directory.glob("triplets/*.parquet"))
