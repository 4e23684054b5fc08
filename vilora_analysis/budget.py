"""How many triplets may stay, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from vilora_analysis.errors import ConfigError

__all__ = ["BudgetSchedule"]


@dataclass(frozen=True)
class BudgetSchedule:
    """AdaLoRA's cubic schedule of the total rank (Zhang et al. 2023, equation 12).

    Attributes
    ----------
    init_budget, target_budget
        Total rank at the start and at the end.
    tinit
        Steps before the first decision.
    tfinal
        Steps after the last one, which falls on ``total_steps - tfinal``.
    total_steps
        Steps of the whole run; steps count from 1.
    allocate_every
        Steps between two decisions (PEFT's ``deltaT``).

    Raises
    ------
    ConfigError
        If no step is left to allocate in, or the target exceeds the start.

    Examples
    --------
    >>> schedule = BudgetSchedule(216, 144, tinit=20, tfinal=30, total_steps=100)
    >>> [schedule.budget(step) for step in (1, 20, 21, 45, 70, 100)]
    [216, 216, 211, 153, 144, 144]
    """

    init_budget: int
    target_budget: int
    tinit: int
    tfinal: int
    total_steps: int
    allocate_every: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.target_budget <= self.init_budget:
            raise ConfigError(
                f"target budget {self.target_budget} must lie in 0 .. {self.init_budget}, the rank "
                "to start with; lower target_rank or raise init_rank"
            )
        if self.tinit < 0 or self.tfinal < 0 or self.allocate_every < 1:
            raise ConfigError(
                f"tinit {self.tinit} and tfinal {self.tfinal} must be at least 0, allocate_every "
                f"{self.allocate_every} at least 1"
            )
        if self.tinit >= self.final_step:
            raise ConfigError(
                f"no step is left to allocate in: tinit {self.tinit} + tfinal {self.tfinal} >= "
                f"{self.total_steps} steps; lower tinit or tfinal, or train longer"
            )

    @property
    def final_step(self) -> int:
        """Step of the last decision, after which the kept set is fixed."""
        return self.total_steps - self.tfinal

    def budget(self, step: int) -> int:
        """Total rank to keep after a step."""
        if step <= self.tinit:
            return self.init_budget
        if step >= self.final_step:
            return self.target_budget
        left = 1 - (step - self.tinit) / (self.final_step - self.tinit)
        return int((self.init_budget - self.target_budget) * left**3 + self.target_budget)

    def decides(self, step: int) -> bool:
        """Whether triplets are chosen anew at a step."""
        between = self.tinit < step < self.final_step and step % self.allocate_every == 0
        return between or step == self.final_step
