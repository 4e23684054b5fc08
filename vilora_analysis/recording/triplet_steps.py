"""What happens to the triplets at a step: snapshot, smooth, allocate, write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from vilora_analysis import scores as registry
from vilora_analysis.errors import LayoutError, ScoreError
from vilora_analysis.inputs import INPUTS
from vilora_analysis.posterior import (
    Clipping,
    Snapshot,
    read_gradient,
    read_means,
    take_snapshot,
)
from vilora_analysis.recording.columns import element_rows, refuse_non_finite_inputs
from vilora_analysis.recording.memory import SnapshotMemory
from vilora_analysis.recording.step_numbers import KeptLater, StepNumbers
from vilora_analysis.scores.elementwise import is_elementwise

if TYPE_CHECKING:
    from vilora_analysis.allocation import Allocator
    from vilora_analysis.log import LogWriter
    from vilora_analysis.scores import Smoothing
    from vilora_analysis.triplets import Binding

__all__ = ["Recorded", "TripletSteps"]


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


class TripletSteps:
    """The part of a recording that looks at an adapter.

    Parameters
    ----------
    binding
        Layout tied to the optimizer.
    adalora
        PEFT's ``AdaLoraModel``; None for LoRA.
    allocator
        What prunes; None to observe.
    writer
        The log; None to write none.
    smoothing
        Running averages that scores need.
    recorded
        What is written.
    drive
        Whether each step calls PEFT's ``update_and_allocate``.
    """

    def __init__(
        self,
        *,
        binding: Binding,
        adalora: Any,
        allocator: Allocator | None,
        writer: LogWriter | None,
        smoothing: Smoothing,
        recorded: Recorded,
        drive: bool,
    ) -> None:
        self.allocator = allocator
        self.layout = binding.layout
        self._binding = binding
        self._adalora = adalora
        self._writer = writer
        self._smoothing = smoothing
        self._recorded = recorded
        self._drive = drive and allocator is not None
        self._memory = SnapshotMemory(binding, writer)
        self._averages = binding.buffers()
        self._gradient: Any = None
        self._means: Any = None
        self._clipping: Clipping | None = None
        self._pending: tuple[int, Snapshot | None] | None = None
        self._pattern: Any = None
        self._kept = np.ones(binding.layout.n_triplets, dtype=bool)
        self._logged = (self._pattern, self._kept)
        self._published = getattr(adalora, "rankallocator", None)
        if allocator is not None:
            adalora.rankallocator = allocator
        self._needs_recorded = {*recorded.inputs, *registry.requirements(recorded.scores)}
        self._needs_decision = allocator.needs if allocator is not None else frozenset()
        for name in recorded.scores:  # tried out here: trying sets the generator that others use
            is_elementwise(registry.get(name))

    @property
    def kept(self) -> np.ndarray:
        """What the latest decision kept: ours, or that of PEFT's own allocator when observing."""
        if self.allocator is not None:
            self._kept = self.allocator.kept.cpu().numpy()
        elif self._adalora is not None:
            self._read_pattern()
        return self._kept

    @property
    def was_pruned(self) -> bool:
        """Whether anything was decided yet."""
        return self.allocator.decided if self.allocator is not None else self._pattern is not None

    def before(self, optimizer: Any, step: int) -> None:
        """Look at the optimizer before the step numbered one after ``step``."""
        self.write_pending()
        if self.allocator is not None and self.allocator.waiting:
            raise LayoutError(
                f"update_and_allocate was not called after step {step}; call it once after each "
                "optimizer.step(), or let instrument() do it (drive=True)"
            )
        # IVON drops it in the step; kept by reference, so gradients summed over processes in
        # place during the step are the ones seen afterwards
        self._gradient = read_gradient(optimizer)
        due = self._is_due(step + 1, self._recorded.every)
        self._means = read_means(optimizer) if due else None

    def after(self, step: int) -> None:
        """Snapshot, decide and write, right after the step."""
        if self._writer is not None and self._means is not None:
            self._clipping = Clipping(self._binding, self._means)
            self._writer.metrics(step, {"clip_rate": self._clipping})
        snapshot = self._take_snapshot(step)
        self._gradient = self._means = None
        if self.allocator is not None:
            due = snapshot if self._decides(step) else None
            self.allocator.stage(due, step=step, driven=self._drive)
        if self._drive and self.allocator is not None:
            with self.allocator.driving():
                self._adalora.update_and_allocate(step)
        if self._writer is not None:
            self._pending = (step, snapshot)
        if self._drive:
            self.write_pending()

    def write_pending(self) -> None:
        """Write the latest step; what it kept is known only once the allocator was called."""
        pending, self._pending = self._pending, None
        if pending is None or self._writer is None:
            return
        step, snapshot = pending
        self._write_event(step)
        recorded = self._recorded
        if snapshot is not None and self._is_due(step, recorded.every):
            self._write_triplets(self._writer, step, snapshot)
        if snapshot is not None and self._is_due(step, recorded.elements_every):
            self._write_elements(self._writer, step, snapshot)

    def _write_triplets(self, writer: LogWriter, step: int, snapshot: Snapshot) -> None:
        recorded, clipping = self._recorded, self._clipping
        numbers = StepNumbers(snapshot, recorded.inputs, recorded.scores, clipping)
        self._memory.read_by(numbers)
        kept = self.kept if self.allocator is None else KeptLater(self.allocator.kept)
        self._clipping = None
        try:
            writer.triplets(step, numbers, kept)
        except BaseException:
            numbers.give_up()
            raise

    def _write_elements(self, writer: LogWriter, step: int, snapshot: Snapshot) -> None:
        names = [name for name in INPUTS if name in snapshot.inputs]
        try:
            refuse_non_finite_inputs(snapshot, names)
        except ScoreError as error:
            if not writer.warns:
                raise
            writer.skip(step, error, ("elements",))
        else:
            writer.elements(list(element_rows(snapshot, names)))

    def detach(self) -> None:
        """Put PEFT's allocator back, and let its configuration say what was kept."""
        if self.allocator is not None:
            self._adalora.rankallocator = self._published
            if self.allocator.decided:
                self._config.rank_pattern = self.layout.pattern(self.allocator.in_use())

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs to go on as if never stopped."""
        return {
            "smoothing": {  # copies: later steps write over this memory
                "count": self._smoothing.count,
                "values": {name: value.clone() for name, value in self._smoothing.values.items()},
            },
            "kept": self.allocator.kept.cpu() if self.allocator is not None else None,
            "decided": self.was_pruned,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the state of another process."""
        device = self._binding.parameters[0].device
        saved = state["smoothing"]
        values = {name: value.to(device) for name, value in saved["values"].items()}
        self._smoothing = replace(
            self._smoothing, count=saved["count"], values=MappingProxyType(values)
        )
        if self.allocator is not None:
            self.allocator.restore(state["kept"].to(device), decided=state["decided"])
            self._logged = (None, self.kept)

    def _decides(self, step: int) -> bool:
        # a loop that calls the allocator itself counts its steps as it likes, so be ready each time
        return self.allocator is not None and (not self._drive or self.allocator.decides(step))

    def _is_due(self, step: int, every: int) -> bool:
        return self._writer is not None and every > 0 and step % every == 0

    def _take_snapshot(self, step: int) -> Snapshot | None:
        recorded = self._recorded
        needs = {"grad"} if self._smoothing.needs else set()
        if self._is_due(step, recorded.every) or self._is_due(step, recorded.elements_every):
            needs |= self._needs_recorded
        if self._decides(step):
            needs |= self._needs_decision
        if not needs:
            return None
        snapshot = take_snapshot(
            self._binding,
            step,
            needs=needs,
            gradient=self._gradient,
            buffers=self._memory.next(),
        )
        frozen = self.allocator is not None and self.allocator.freezes(step)
        if self._smoothing.needs and not frozen:
            self._smoothing = self._smoothing.update(
                snapshot.inputs["mu"], snapshot.inputs["grad"], into=self._averages
            )
        return replace(snapshot, inputs={**snapshot.inputs, **self._smoothing.values})

    def _write_event(self, step: int) -> None:
        decision = self.allocator.last if self.allocator is not None else None
        if self.allocator is not None and decision is None:
            return  # most steps: nothing is fetched from the device
        now, before = self.kept, self._logged[1]
        if (decision is None and self._logged[0] is self._pattern) or self._writer is None:
            return
        names = self.layout.triplet_names
        self._writer.event(
            step=step,
            budget=int(now.sum()) if decision is None else decision.budget,
            threshold=None if decision is None else decision.threshold,
            n_kept=int(now.sum()),
            pruned=[names[i] for i in np.flatnonzero(before & ~now)],
            revived=[names[i] for i in np.flatnonzero(now & ~before)],
        )
        self._logged = (self._pattern, now)

    @property
    def _config(self) -> Any:
        return self._adalora.peft_config[self._adalora.trainable_adapter_name]

    def _read_pattern(self) -> None:
        """Read what PEFT's own allocator decided, if it is something new."""
        pattern = self._config.rank_pattern
        if not pattern or pattern is self._pattern:
            return
        rows = self.layout.kept_from_pattern(pattern)
        # a loaded adapter is pruned already, and its pattern speaks of the ranks before
        if len(rows) == len(self._kept):
            self._pattern, self._kept = pattern, np.array(rows)
