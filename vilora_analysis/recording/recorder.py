"""What happens at each optimizer step: snapshot, smooth, allocate, write."""

from __future__ import annotations

import atexit
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from vilora_analysis import scores as registry
from vilora_analysis.errors import LayoutError
from vilora_analysis.inputs import INPUTS
from vilora_analysis.posterior import Snapshot, read_gradient, take_snapshot
from vilora_analysis.recording.columns import element_rows, triplet_values

if TYPE_CHECKING:
    from vilora_analysis.allocation import ScoreAllocator
    from vilora_analysis.log import LogWriter
    from vilora_analysis.log.manifest import Status
    from vilora_analysis.scores import Smoothing
    from vilora_analysis.triplets import Binding

__all__ = ["Recorded", "Recording"]


@dataclass(frozen=True)
class Recorded:
    """What is written, and how often.

    Attributes
    ----------
    inputs, scores
        Columns of the triplets table.
    every, elements_every
        Steps between two rows of steps, and between two full snapshots (0: none).
    """

    inputs: tuple[str, ...]
    scores: tuple[str, ...]
    every: int
    elements_every: int


class Recording:
    """An instrumented optimizer, until closed; made by :func:`vilora_analysis.instrument`.

    Attributes
    ----------
    step
        Optimizer steps taken so far.
    results
        Final metrics, written into the manifest on closing; add to it freely.
    """

    def __init__(
        self,
        *,
        binding: Binding,
        adalora: Any,
        allocator: ScoreAllocator | None,
        writer: LogWriter | None,
        smoothing: Smoothing,
        recorded: Recorded,
        drive: bool,
    ) -> None:
        self.step = 0
        self.results: dict[str, Any] = {}
        self.allocator = allocator
        self._binding = binding
        self._adalora = adalora
        self._writer = writer
        self._smoothing = smoothing
        self._recorded = recorded
        self._drive = drive and allocator is not None
        self._gradient: Any = None
        self._pending: Snapshot | None = None
        self._pattern: tuple[Any, np.ndarray] | None = None
        self._clock = time.perf_counter()
        self._closed = False
        self._published = getattr(adalora, "rankallocator", None)
        if allocator is not None:
            adalora.rankallocator = allocator
        # of a script that ends without closing, what was recorded is kept all the same
        atexit.register(self._keep)
        self._needs_recorded = {*recorded.inputs, *registry.requirements(recorded.scores)}
        self._needs_decision = set(
            registry.requirements([allocator.criterion] if allocator is not None else [])
        )
        optimizer = binding.optimizer
        self._hooks = (
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        )

    @property
    def path(self) -> Path | None:
        """Run directory, if there is one."""
        return self._writer.directory if self._writer else None

    @property
    def n_kept(self) -> int:
        """Triplets kept by the latest decision."""
        return int(self._kept().sum())

    def log(self, **metrics: float) -> None:
        """Write metrics of the current step: loss, accuracy, whatever the loop knows."""
        if self._writer is not None:
            self._writer.metrics(self.step, metrics)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(failed=kind is not None)

    def close(self, *, failed: bool = False) -> None:
        """Detach from the optimizer and finish the log; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._keep)
        for hook in self._hooks:
            hook.remove()
        if self.allocator is not None:
            self._adalora.rankallocator = self._published
        status: Status = "failed"
        try:
            if not failed:
                self._write_pending()
                self._warn_if_unfinished()
                status = "finished"
        finally:
            if self._writer is not None:
                self._writer.close(status, self.results)

    def _keep(self) -> None:
        self._write_pending()
        if self._writer is not None:
            self._writer.flush()

    def _warn_if_unfinished(self) -> None:
        final = self.allocator.schedule.final_step if self.allocator else 0
        if self.step < final:
            warnings.warn(
                f"the run ended after step {self.step}, before the last allocation at step "
                f"{final}: {self.n_kept} triplets are kept, the budget was not reached",
                stacklevel=4,
            )

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._write_pending()
        if self.allocator is not None and self.allocator.waiting:
            raise LayoutError(
                f"update_and_allocate was not called after step {self.step}; call it once after "
                "each optimizer.step(), or let instrument() do it (drive=True)"
            )
        # IVON drops it in the step; kept by reference, so gradients summed over processes in
        # place during the step are the ones seen afterwards
        self._gradient = read_gradient(optimizer)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self.step += 1
        snapshot = self._take_snapshot()
        self._gradient = None
        if self.allocator is not None:
            self.allocator.stage(snapshot if self._decides() else None)
        if self._drive:
            self._adalora.update_and_allocate(self.step)
        if self._writer is not None:
            self._write_clock(optimizer)
            self._pending = snapshot
        if self._drive:
            self._write_pending()
        if self._writer is not None:
            self._writer.flush_if_due()

    def _decides(self) -> bool:
        # a loop that calls the allocator itself counts its steps as it likes, so be ready each time
        return self.allocator is not None and (
            not self._drive or self.allocator.schedule.decides(self.step)
        )

    def _is_due(self, every: int) -> bool:
        return self._writer is not None and every > 0 and self.step % every == 0

    def _take_snapshot(self) -> Snapshot | None:
        recorded = self._recorded
        needs = {"grad"} if self._smoothing.needs else set()
        if self._is_due(recorded.every) or self._is_due(recorded.elements_every):
            needs |= self._needs_recorded
        if self._decides():
            needs |= self._needs_decision
        if not needs:
            return None
        snapshot = take_snapshot(self._binding, self.step, needs=needs, gradient=self._gradient)
        if self._smoothing.needs and not self._frozen():
            self._smoothing = self._smoothing.update(snapshot.inputs["mu"], snapshot.inputs["grad"])
        return replace(snapshot, inputs={**snapshot.inputs, **self._smoothing.values})

    def _frozen(self) -> bool:
        """PEFT takes its last decision from the sensitivities of the step before it."""
        if self.allocator is None or self.allocator.rule == "exact":
            return False
        return self.step >= self.allocator.schedule.final_step

    def _write_clock(self, optimizer: Any) -> None:
        now = time.perf_counter()
        values = {"lr": float(optimizer.param_groups[0]["lr"]), "seconds": now - self._clock}
        self._clock = now
        if self._writer is not None:
            self._writer.metrics(self.step, values)

    def _write_pending(self) -> None:
        snapshot, self._pending = self._pending, None
        if snapshot is None or self._writer is None:
            return
        self._write_event()
        recorded = self._recorded
        if self._is_due(recorded.every):
            values = triplet_values(snapshot, recorded.inputs, recorded.scores)
            self._writer.triplets(snapshot.step, values, self._kept())
        if self._is_due(recorded.elements_every):
            names = [name for name in INPUTS if name in snapshot.inputs]
            self._writer.elements(list(element_rows(snapshot, names)))

    def _write_event(self) -> None:
        decision = self.allocator.last if self.allocator else None
        if decision is None or self._writer is None:
            return
        names = self._binding.layout.triplet_names
        self._writer.event(
            step=decision.step,
            budget=decision.budget,
            threshold=decision.threshold,
            n_kept=self.n_kept,
            pruned=[names[i] for i in decision.pruned],
            revived=[names[i] for i in decision.revived],
        )

    def _kept(self) -> np.ndarray:
        """What the latest decision kept: ours, or that of PEFT's own allocator when observing."""
        if self.allocator is not None:
            kept: np.ndarray = self.allocator.kept.cpu().numpy()
            return kept
        pattern = None
        if self._adalora is not None:
            pattern = self._adalora.peft_config[self._adalora.trainable_adapter_name].rank_pattern
        everything = np.ones(self._binding.layout.n_triplets, dtype=bool)
        if not pattern:
            return everything
        if self._pattern is None or self._pattern[0] is not pattern:
            kept_rows = self._binding.layout.kept_from_pattern(pattern)
            # a loaded adapter is pruned already, and its pattern speaks of the ranks before
            stale = len(kept_rows) != self._binding.layout.n_triplets
            self._pattern = (pattern, everything if stale else np.array(kept_rows))
        return self._pattern[1]
