"""Which allocator a recording puts in PEFT's place, from what it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from vilora_analysis.allocation import (
    Allocator,
    BudgetSchedule,
    Metric,
    ProximalAllocator,
    Rule,
    ScoreAllocator,
)
from vilora_analysis.errors import ConfigError, LayoutError

if TYPE_CHECKING:
    from vilora_analysis.triplets import Binding

__all__ = ["AllocationKind", "Asked"]

AllocationKind = Literal["budget", "l1"]


@dataclass(frozen=True)
class Asked:
    """What is to be kept by; the fields are arguments of :func:`vilora_analysis.instrument`.

    Raises
    ------
    ConfigError
        If the fields contradict each other.
    """

    criterion: str | None
    allocation: AllocationKind = "budget"
    l1_penalty: float = 0.0
    l1_metric: Metric = "optimizer"
    rule: Rule = "exact"

    def __post_init__(self) -> None:
        if self.allocation not in get_args(AllocationKind):
            raise ConfigError(f"allocation {self.allocation!r} is neither 'budget' nor 'l1'")
        if self.allocation == "budget" and self.l1_penalty:
            raise ConfigError(
                f"l1_penalty = {self.l1_penalty} goes with allocation='l1'; got 'budget'"
            )
        if self.allocation == "l1" and self.criterion is not None:
            raise ConfigError(
                f"allocation='l1' keeps what its penalty leaves, and prunes by no score; criterion "
                f"must be None (scores are observed), got {self.criterion!r}"
            )

    @property
    def observes(self) -> bool:
        """Whether nothing is to be allocated."""
        return self.allocation == "budget" and self.criterion is None

    def allocator(self, binding: Binding, adalora: Any, peft_config: Any) -> Allocator | None:
        """Make it; None to observe.

        Raises
        ------
        LayoutError
            If the model has no AdaLoRA adapter, or is allocated already.
        ConfigError
            If the schedule leaves no step to allocate in, or the penalty cannot be used.
        """
        if self.observes:
            return None
        _refuse_second(adalora)
        if peft_config is None:
            raise LayoutError(
                f"{self._spelled} prunes an AdaLoRA adapter, and the model has none; adapt it "
                "with peft.AdaLoraConfig, or leave it out to observe"
            )
        if self.criterion is None:
            start = peft_config.tinit
            return ProximalAllocator(binding, self.l1_penalty, start=start, metric=self.l1_metric)
        return ScoreAllocator(
            binding, self.criterion, _schedule(binding, peft_config), rule=self.rule
        )

    @property
    def _spelled(self) -> str:
        return "allocation 'l1'" if self.criterion is None else f"criterion {self.criterion!r}"


def _refuse_second(adalora: Any) -> None:
    if isinstance(getattr(adalora, "rankallocator", None), Allocator):
        raise LayoutError(
            "the model is allocated already, by another instrument() or VILoRACallback with a "
            "criterion; close that one, or give this one criterion=None to observe"
        )


def _schedule(binding: Binding, peft_config: Any) -> BudgetSchedule:
    return BudgetSchedule(
        init_budget=binding.layout.n_triplets,
        target_budget=peft_config.target_r * len(binding.layout.modules),
        tinit=peft_config.tinit,
        tfinal=peft_config.tfinal,
        total_steps=peft_config.total_step,
        allocate_every=peft_config.deltaT,
    )
