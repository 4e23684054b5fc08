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
class Smoothing:
    """State of AdaLoRA's sensitivity smoothing and of the running squared gradient.

    Attributes
    ----------
    needs
        Which of ``sens_ema``, ``unc_ema``, ``fisher_batch`` are kept.
    beta1, beta2
        Decay of Ī and Ū (AdaLoRA, equations 9 and 10; PEFT's default 0.85).
    fisher_beta
        Decay of ``fisher_batch``, which is debiased: 1 gives the plain mean over all steps so far.
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
        values: dict[str, Tensor] = {}
        if "sens_ema" in self.needs:
            now = (mu * grad).abs()
            values["sens_ema"] = _ema(self.values.get("sens_ema"), now, self.beta1)
            if "unc_ema" in self.needs:
                deviation = (now - values["sens_ema"]).abs()
                values["unc_ema"] = _ema(self.values.get("unc_ema"), deviation, self.beta2)
        if "fisher_batch" in self.needs:
            values["fisher_batch"] = self._fisher(grad, count)
        return replace(self, count=count, values=MappingProxyType(values))

    def _fisher(self, grad: Tensor, count: int) -> Tensor:
        squared = grad.square()
        if count == 1:
            return squared
        beta = self.fisher_beta
        # weight of the newest term in a debiased average: (1 − β)/(1 − βᵗ), which tends to 1/t
        weight = 1 / count if beta >= 1 else (1 - beta) / (1 - beta**count)
        return self.values["fisher_batch"].lerp(squared, weight)


def _ema(average: Tensor | None, value: Tensor, beta: float) -> Tensor:
    """Start from zero as PEFT does, so there is no debiasing."""
    return value * (1 - beta) if average is None else average * beta + value * (1 - beta)
