"""What stands where PEFT's allocator stands, whatever it decides by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.allocation.values import SingularValues
from vilora_analysis.errors import LayoutError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vilora_analysis.budget import BudgetSchedule
    from vilora_analysis.posterior import Snapshot
    from vilora_analysis.triplets import Binding

__all__ = ["Allocation", "Allocator"]


@dataclass(frozen=True)
class Allocation:
    """One decision.

    Attributes
    ----------
    step, budget
        When, and how many triplets were to be kept; under a penalty, how many turned out to be.
    threshold
        Largest score that was pruned, under a penalty the largest |E| that was set to 0; None if
        nothing was.
    """

    step: int
    budget: int
    threshold: float | None


class Allocator(ABC):
    """Takes the place of ``model.base_model.rankallocator``, and answers to the recording.

    PEFT's ``AdaLoraModel`` calls only ``update_and_allocate``, ``mask_using_rank_pattern`` and
    ``reset_ipt``. The recording hands over each step with :meth:`stage`, and reads what was kept.

    Parameters
    ----------
    binding
        Layout tied to the optimizer.

    Attributes
    ----------
    criterion
        Score to prune by; None if none is.
    schedule
        Budget by step; None without a budget.
    needs
        Inputs of a snapshot that a decision is made from; none if it needs no snapshot.
    kept
        Boolean by triplet: what the last decision kept.
    decided
        Whether anything was decided yet.
    last
        The decision of the latest step; None if that step decided nothing new.

    Notes
    -----
    PEFT's configuration gets no ``rank_pattern`` from here while training goes on: with one,
    PEFT saves an adapter cut to it, and a checkpoint could neither be resumed nor revive a triplet.
    The recording sets it when it is closed.
    """

    criterion: str | None
    schedule: BudgetSchedule | None
    needs: frozenset[str]

    def __init__(self, binding: Binding) -> None:
        self.layout = binding.layout
        self.values = SingularValues(binding)
        device = self.values.parameters[0].device
        self.kept = torch.ones(self.layout.n_triplets, dtype=torch.bool, device=device)
        self.decided = False
        self.last: Allocation | None = None
        self._driven = self._open = False

    @property
    @abstractmethod
    def waiting(self) -> bool:
        """Whether a step was staged and nobody has called for its decision yet."""

    @abstractmethod
    def decides(self, step: int) -> bool:
        """Whether a step brings a decision."""

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """What the manifest says of it, among the settings of the recorder."""

    @abstractmethod
    def stage(self, snapshot: Snapshot | None, *, step: int = 0, driven: bool = False) -> None:
        """Hand over what the next decision is made from, right after an optimizer step.

        Parameters
        ----------
        snapshot
            The posterior at this step; None where none is due. Its memory is used again at the next
            step.
        step
            Optimizer steps taken.
        driven
            Whether the call comes within :meth:`driving`; then any other is refused.
        """

    @abstractmethod
    def update_and_allocate(
        self, model: nn.Module, step: int, force_mask: bool = False
    ) -> tuple[int, None]:
        """Decide, if a decision is due; called by PEFT, which gets no pattern."""

    @abstractmethod
    def mask_using_rank_pattern(
        self, model: nn.Module, rank_pattern: Mapping[str, list[bool]] | None
    ) -> None:
        """What there is to do at a step after the last one of PEFT's schedule; called by PEFT."""

    def freezes(self, step: int) -> bool:
        """Whether running averages are to stay as they are at a step."""
        return False

    def reset_ipt(self) -> None:  # noqa: B027 - nothing to do is what there is to do
        """PEFT drops its running scores here; ours belong to the recording and go on."""

    @contextmanager
    def driving(self) -> Iterator[None]:
        """Let calls from PEFT through for the block."""
        self._open = True
        try:
            yield
        finally:
            self._open = False

    def restore(self, kept: Tensor, *, decided: bool) -> None:
        """Take up what another process kept, to go on from its checkpoint."""
        self.kept, self.decided = kept, decided

    def rank_pattern(self) -> dict[str, list[bool]]:
        """Kept triplets by the name of their E, as PEFT keeps them in its configuration."""
        return self.layout.pattern(self.kept.tolist())

    def in_use(self) -> list[bool]:
        """Triplets that the model's output depends on: kept, or revived since the last decision."""
        alive: list[bool] = (self.kept | (self.values.read() != 0)).tolist()
        return alive

    def _refuse_others(self) -> None:
        if self._driven and not self._open:
            raise LayoutError(
                "something else calls update_and_allocate too, another callback or your loop; let "
                "either instrument() do it, or your loop (drive=False)"
            )
