"""The allocator that stands where PEFT's stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis import scores
from vilora_analysis.allocation.base import Allocation, Allocator
from vilora_analysis.allocation.selection import Rule, select, triplet_score
from vilora_analysis.errors import LayoutError

if TYPE_CHECKING:
    from torch import nn

    from vilora_analysis.budget import BudgetSchedule
    from vilora_analysis.posterior import Snapshot
    from vilora_analysis.triplets import Binding

__all__ = ["Allocation", "ScoreAllocator"]


class ScoreAllocator(Allocator):
    """Prunes triplets by any registered score, from PEFT's own ``update_and_allocate`` call.

    Masked values are set to 0, and like PEFT's they may come back until the last decision.

    Parameters
    ----------
    binding
        Layout tied to the optimizer.
    criterion
        Score to prune by.
    schedule
        Budget by step.
    rule
        How ties are broken, see :func:`select`.
    """

    def __init__(
        self, binding: Binding, criterion: str, schedule: BudgetSchedule, *, rule: Rule = "exact"
    ) -> None:
        super().__init__(binding)
        self.criterion: str = scores.get(criterion).name
        self.schedule: BudgetSchedule = schedule
        # a decision needs its snapshot even where the criterion asks for nothing of it
        self.needs = frozenset({"mu", *scores.requirements([self.criterion])})
        self.rule: Rule = rule
        self._snapshot: Snapshot | None = None
        self._pattern: Mapping[str, list[bool]] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a snapshot was staged and nobody has called for its decision yet."""
        return self._snapshot is not None

    def decides(self, step: int) -> bool:
        """Whether the schedule has a decision at a step."""
        return self.schedule.decides(step)

    def freezes(self, step: int) -> bool:
        """PEFT takes its last decision from the sensitivities of the step before it."""
        return self.rule == "published" and step >= self.schedule.final_step

    def describe(self) -> Mapping[str, Any]:
        """What the manifest says of it."""
        return {"schedule": asdict(self.schedule), "rule": self.rule}

    def stage(self, snapshot: Snapshot | None, *, step: int = 0, driven: bool = False) -> None:
        """Hand over what the next decision is made from; None where none is due."""
        self._snapshot, self.last, self._driven = snapshot, None, driven

    @torch.no_grad()
    def update_and_allocate(
        self, model: nn.Module, step: int, force_mask: bool = False
    ) -> tuple[int, None]:
        """Decide, if a decision is due; called by PEFT.

        Returns
        -------
        budget : int
            Total rank after this step.
        rank_pattern : None
            Where PEFT's allocator gives what it keeps; see the class's notes.

        Raises
        ------
        LayoutError
            If a decision is due and no snapshot was handed over since the last call, or somebody
            calls beside the recording that drives.
        """
        self._refuse_others()
        snapshot, self._snapshot = self._snapshot, None
        budget = self.schedule.budget(step)
        if not (force_mask or self.schedule.decides(step)):
            return budget, None
        if snapshot is None:
            raise LayoutError(
                f"update_and_allocate({step}) was called without an optimizer step before it, or "
                "twice for one; let either instrument() or your loop call it (drive=False)"
            )
        score = triplet_score(self.criterion, snapshot)
        kept = select(score, budget, rule=self.rule)
        pruned = score[~kept]
        self.last = Allocation(
            step=step,
            budget=budget,
            threshold=float(pruned.max()) if pruned.numel() else None,
        )
        self.kept, self.decided = kept, True
        self._mask()
        return budget, None

    @torch.no_grad()
    def mask_using_rank_pattern(
        self, model: nn.Module, rank_pattern: Mapping[str, list[bool]] | None
    ) -> None:
        """Set to 0 what was not kept; called by PEFT after the last decision."""
        self._refuse_others()
        self._snapshot = None
        if rank_pattern is not None and rank_pattern is not self._pattern:
            kept = self.layout.kept_from_pattern(rank_pattern)
            self.kept = torch.tensor(kept, device=self.kept.device)
            self._pattern = rank_pattern
        self._mask()

    def set_total_step(self, total_step: int) -> None:
        """Change the length of the run, as PEFT's users do before training."""
        self.schedule = replace(self.schedule, total_steps=total_step)

    def _mask(self) -> None:
        self.values.mask(self.kept)
