"""From the elements of a triplet to one number: a reduction by factor, then a sum over factors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FACTORS", "REDUCTIONS", "Factor", "published_sum"]

Factor = Literal["E", "A", "B"]
FACTORS: tuple[Factor, ...] = ("E", "A", "B")

REDUCTIONS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mean": lambda values, axis: values.mean(axis),
    "sum": lambda values, axis: values.sum(axis),
    "max": lambda values, axis: values.amax(axis),
    "l2": lambda values, axis: torch.linalg.vector_norm(values, dim=axis),
    "rms": lambda values, axis: values.square().mean(axis).sqrt(),
}
"""Over the elements of a row of A or a column of B; E has a single element."""


def published_sum(parts: Mapping[Factor, Tensor]) -> Tensor:
    """Sum of the factors' parts: E + mean over the row of A + mean over the column of B.

    The rule of AdaLoRA (Zhang et al. 2023, equation 7) and VILoRA; for LoRA, which has no E, the
    two means.

    Examples
    --------
    >>> parts = {"E": torch.tensor([1.0]), "A": torch.tensor([2.0]), "B": torch.tensor([4.0])}
    >>> published_sum(parts)
    tensor([7.])
    """
    vectors = parts["A"] + parts["B"]
    return parts["E"] + vectors if "E" in parts else vectors
