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

    from vilora_analysis.triplets import Buffers

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

    def update(self, mu: Tensor, grad: Tensor, *, into: Buffers | None = None) -> Smoothing:
        """Return the state after one more step.

        Parameters
        ----------
        mu, grad
            Parameter after the step and gradient the step was taken with, same shape.
        into
            Memory to write it into, of the parameters' size. The state before this one stays
            whole, the one before that may be written over. None takes new memory.
        """
        import torch

        count = self.count + 1

        def memory(name: str) -> Tensor | None:
            return into.flat(name, grad.dtype, grad.device) if into is not None else None

        rules = {name: rule for name, rule in _AVERAGES.items() if name in self.needs}
        weighted = any(rule.weighted for rule in rules.values())
        product = torch.mul(mu, grad, out=memory("product")) if weighted else grad
        values = {}
        for name, rule in rules.items():
            size = product if rule.weighted else grad
            now = (torch.square if rule.power == 2 else torch.abs)(size, out=memory("now"))
            values[name] = self._averaged(name, rule, now, count, memory(f"{name} {count % 2}"))
        if "unc_ema" in self.needs:
            deviation = torch.abs(product, out=memory("now")).sub_(values["sens_ema"]).abs_()
            out = memory(f"unc_ema {count % 2}")
            values["unc_ema"] = _ema(self.values.get("unc_ema"), deviation, self.beta2, out)
        return replace(self, count=count, values=MappingProxyType(values))

    def _averaged(
        self, name: str, rule: _Average, now: Tensor, count: int, out: Tensor | None
    ) -> Tensor:
        import torch

        before = self.values.get(name)
        if not rule.long:
            return _ema(before, now, self.beta1, out)
        if before is None:
            return now.clone()
        beta = self.fisher_beta
        # weight of the newest term in a debiased average: (1 − β)/(1 − βᵗ), which tends to 1/t
        weight = 1 / count if beta >= 1 else (1 - beta) / (1 - beta**count)
        return torch.lerp(before, now, weight, out=out)


def _ema(average: Tensor | None, value: Tensor, beta: float, out: Tensor | None) -> Tensor:
    """Start from zero as PEFT does, so there is no debiasing; ``value`` is used up."""
    import torch

    if average is None:
        return torch.mul(value, 1 - beta, out=out)
    return torch.mul(average, beta, out=out).add_(value.mul_(1 - beta))
