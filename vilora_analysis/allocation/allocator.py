"""The allocator that stands where PEFT's stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vilora_analysis import scores
from vilora_analysis.allocation.selection import Rule, select, triplet_score
from vilora_analysis.errors import LayoutError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vilora_analysis.budget import BudgetSchedule
    from vilora_analysis.posterior import Snapshot
    from vilora_analysis.triplets import Binding

__all__ = ["Allocation", "ScoreAllocator"]


@dataclass(frozen=True)
class Allocation:
    """One decision.

    Attributes
    ----------
    step, budget
        When, and how many triplets were to be kept.
    threshold
        Largest score that was pruned; None if nothing was.
    """

    step: int
    budget: int
    threshold: float | None


class ScoreAllocator:
    """Prunes triplets by any registered score, from PEFT's own ``update_and_allocate`` call.

    It takes the place of ``model.base_model.rankallocator``: PEFT's ``AdaLoraModel`` calls only
    the public methods below. Masked values are set to 0, and like PEFT's they may come back until
    the last decision.

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

    Attributes
    ----------
    kept
        Boolean by triplet: what the last decision kept.
    decided
        Whether anything was decided yet.
    last
        The decision of the latest step; None if that step decided nothing.

    Notes
    -----
    PEFT's configuration gets no ``rank_pattern`` from here while training goes on: with one,
    PEFT saves an adapter cut to it, and a checkpoint could neither be resumed nor revive a triplet.
    The recording sets it when it is closed.
    """

    def __init__(
        self, binding: Binding, criterion: str, schedule: BudgetSchedule, *, rule: Rule = "exact"
    ) -> None:
        layout = binding.layout
        if "E" not in layout.factors:
            raise LayoutError(
                "pruning sets singular values to 0 and LoRA has none; adapt the model with "
                "AdaLoRA, or record without a criterion"
            )
        self.layout = layout
        self.criterion = scores.get(criterion).name
        self.schedule = schedule
        self.rule: Rule = rule
        by_name = dict(zip(layout.parameter_names, binding.parameters, strict=True))
        self._values: list[Tensor] = [by_name[module.parameters["E"]] for module in layout.modules]
        self._ranks = [module.rank for module in layout.modules]
        self.kept = torch.ones(layout.n_triplets, dtype=torch.bool, device=self._values[0].device)
        self.decided = False
        self.last: Allocation | None = None
        self._snapshot: Snapshot | None = None
        self._pattern: Mapping[str, list[bool]] | None = None
        self._driven = self._open = False

    @property
    def waiting(self) -> bool:
        """Whether a snapshot was staged and nobody has called for its decision yet."""
        return self._snapshot is not None

    def stage(self, snapshot: Snapshot | None, *, driven: bool = False) -> None:
        """Hand over what the next decision is made from; None where none is due.

        Parameters
        ----------
        snapshot
            The posterior at this step.
        driven
            Whether the call comes within :meth:`driving`; then any other is refused.
        """
        self._snapshot, self.last, self._driven = snapshot, None, driven

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

    def _refuse_others(self) -> None:
        if self._driven and not self._open:
            raise LayoutError(
                "something else calls update_and_allocate too, another callback or your loop; let "
                "either instrument() do it, or your loop (drive=False)"
            )

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

    def reset_ipt(self) -> None:
        """PEFT drops its running scores here; ours belong to the recording and go on."""

    def set_total_step(self, total_step: int) -> None:
        """Change the length of the run, as PEFT's users do before training."""
        self.schedule = replace(self.schedule, total_steps=total_step)

    def rank_pattern(self) -> dict[str, list[bool]]:
        """Kept triplets by the name of their E, as PEFT keeps them in its configuration."""
        return self.layout.pattern(self.kept.tolist())

    @torch.no_grad()
    def in_use(self) -> list[bool]:
        """Triplets that the model's output depends on: kept, or revived since the last decision."""
        flat = torch.cat([value.reshape(-1) for value in self._values])
        alive: list[bool] = (self.kept | (flat != 0)).tolist()
        return alive

    def _mask(self) -> None:
        flat = torch.cat([value.reshape(-1) for value in self._values])
        masked = flat.masked_fill(~self.kept, 0.0).split(self._ranks)
        shaped = [piece.view_as(value) for piece, value in zip(masked, self._values, strict=True)]
        torch._foreach_copy_(self._values, shaped)
