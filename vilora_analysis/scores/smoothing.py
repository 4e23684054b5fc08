"""Running averages that some scores need: explicit frozen state, pure update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from vilora_analysis.errors import ConfigError
from vilora_analysis.inputs import INPUTS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Smoothing"]

_NAMES = tuple(name for name, item in INPUTS.items() if item.origin == "smoothing")


@dataclass(frozen=True)
class _Average:
    """A running mean of |θ g| or |g|, or of their squares.

    A short one has AdaLoRA's decay β₁ and starts from zero as PEFT's does, a long one that of
    ``fisher_batch`` and is debiased.
    """

    weighted: bool
    power: int
    long: bool


_AVERAGES = {
    "sens_ema": _Average(weighted=True, power=1, long=False),
    "sens_ema_long": _Average(weighted=True, power=1, long=True),
    "sens_sq_ema": _Average(weighted=True, power=2, long=False),
    "sens_sq_ema_long": _Average(weighted=True, power=2, long=True),
    "grad_abs_ema": _Average(weighted=False, power=1, long=False),
    "grad_abs_ema_long": _Average(weighted=False, power=1, long=True),
    "grad_sq_ema": _Average(weighted=False, power=2, long=False),
    "fisher_batch": _Average(weighted=False, power=2, long=True),
}


@dataclass(frozen=True)
class Smoothing:
    """State of AdaLoRA's sensitivity smoothing and of the running squared gradient.

    Attributes
    ----------
    needs
        Which inputs of origin ``"smoothing"`` are kept.
    beta1, beta2
        Decay of Ī and Ū (AdaLoRA, equations 9 and 10; PEFT's default 0.85), and of what else has a
        short horizon.
    fisher_beta
        Decay of ``fisher_batch``, and of what else has its horizon; these are debiased: 1 gives the
        plain mean over all steps so far.
    count
        Updates taken so far.
    values
        The averages by name; empty before the first update.

    Raises
    ------
    ConfigError
        If a decay lies outside [0, 1), or outside [0, 1] for ``fisher_beta``.
    """

    needs: frozenset[str]
    beta1: float = 0.85
    beta2: float = 0.85
    fisher_beta: float = 0.999
    count: int = 0
    values: Mapping[str, Tensor] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, upper in (("beta1", 1.0), ("beta2", 1.0), ("fisher_beta", 1.0 + 1e-12)):
            if not 0 <= getattr(self, name) < upper:
                raise ConfigError(f"{name} is a decay in [0, 1), got {getattr(self, name)}")

    @classmethod
    def for_inputs(
        cls,
        inputs: Iterable[str],
        *,
        beta1: float = 0.85,
        beta2: float = 0.85,
        fisher_beta: float = 0.999,
    ) -> Smoothing:
        """State that keeps just what ``inputs`` (names of score inputs) contain of it."""
        needs = frozenset(inputs) & frozenset(_NAMES)
        # Ū measures the deviation from Ī, so it cannot be had without it
        needs |= {"sens_ema"} if "unc_ema" in needs else set()
        return cls(needs, beta1, beta2, fisher_beta)

    def update(self, mu: Tensor, grad: Tensor) -> Smoothing:
        """Return the state after one more step.

        Parameters
        ----------
        mu, grad
            Parameter after the step and gradient the step was taken with, same shape.
        """
        count = self.count + 1
        rules = {name: rule for name, rule in _AVERAGES.items() if name in self.needs}
        product = mu * grad if any(rule.weighted for rule in rules.values()) else grad
        values = {
            name: self._averaged(name, rule, product if rule.weighted else grad, count)
            for name, rule in rules.items()
        }
        if "unc_ema" in self.needs:
            deviation = (product.abs() - values["sens_ema"]).abs()
            values["unc_ema"] = _ema(self.values.get("unc_ema"), deviation, self.beta2)
        return replace(self, count=count, values=MappingProxyType(values))

    def _averaged(self, name: str, rule: _Average, size: Tensor, count: int) -> Tensor:
        now = size.square() if rule.power == 2 else size.abs()
        before = self.values.get(name)
        if not rule.long:
            return _ema(before, now, self.beta1)
        if before is None:
            return now
        beta = self.fisher_beta
        # weight of the newest term in a debiased average: (1 − β)/(1 − βᵗ), which tends to 1/t
        weight = 1 / count if beta >= 1 else (1 - beta) / (1 - beta**count)
        return before.lerp(now, weight)


def _ema(average: Tensor | None, value: Tensor, beta: float) -> Tensor:
    """Start from zero as PEFT does, so there is no debiasing."""
    return value * (1 - beta) if average is None else average * beta + value * (1 - beta)
