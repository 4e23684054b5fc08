"""From the elements of a triplet to one number: a reduction by factor, then a sum over factors."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FACTORS", "REDUCTIONS", "Factor", "published_sum"]

Factor = Literal["E", "A", "B"]
FACTORS: tuple[Factor, ...] = ("E", "A", "B")


def _l2(values: Tensor, axis: int) -> Tensor:
    """Euclidean norm; divided by the largest first, so that squares neither overflow nor vanish."""
    largest = values.abs().amax(axis, keepdim=True)
    scale = torch.where(largest > 0, largest, 1.0)
    norm: Tensor = torch.linalg.vector_norm(values / scale, dim=axis)
    return norm * scale.squeeze(axis)


REDUCTIONS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mean": lambda values, axis: values.mean(axis),
    "sum": lambda values, axis: values.sum(axis),
    "max": lambda values, axis: values.amax(axis),
    "l2": _l2,
    "rms": lambda values, axis: values.square().mean(axis).sqrt(),
}
"""By the names of ``aggregation.REDUCE_NAMES``; over a row of A or a column of B."""


def published_sum(parts: Mapping[Factor, Tensor]) -> Tensor:
    """Sum of the factors' parts: E + mean over the row of A + mean over the column of B.

    The rule of AdaLoRA (Zhang et al. 2023, equation 7) and VILoRA; for LoRA, which has no E, the
    two means. Other reductions and fewer factors are summed alike.

    Examples
    --------
    >>> parts = {"E": torch.tensor([1.0]), "A": torch.tensor([2.0]), "B": torch.tensor([4.0])}
    >>> published_sum(parts)
    tensor([7.])
    """
    # E + (A + B), in the published order, to the last bit
    return reduce(operator.add, [parts[factor] for factor in ("A", "B", "E") if factor in parts])
