"""The empirical Fisher of a model's triplets: what a run's folder ``fisher`` holds of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vilora_analysis.errors import ConfigError
from vilora_analysis.fisher.example import (
    Examples,
    example_gradients,
    penalty_gradient,
    undisturbed,
)
from vilora_analysis.fisher.moments import GradientMoments

if TYPE_CHECKING:
    from vilora_analysis.triplets import Factor, TripletLayout

__all__ = ["Measured", "fisher_columns", "measure"]


@dataclass(frozen=True)
class Measured:
    """Gradients of single examples, summed.

    Attributes
    ----------
    halves
        Moments of every other example, and of the others: how far two samples agree.
    penalty
        Gradient of the orthogonality penalty, the same for every example.
    """

    halves: tuple[GradientMoments, GradientMoments]
    penalty: Tensor

    @property
    def moments(self) -> GradientMoments:
        """Of all examples."""
        return self.halves[0] + self.halves[1]


def measure(
    model: nn.Module,
    layout: TripletLayout,
    batches: Iterable[Examples],
    *,
    tick: Callable[[int], object] = lambda examples: None,
) -> Measured:
    """Take the gradients of single examples at the weights the model has, which stays as it is.

    Parameters
    ----------
    model, layout, batches
        As for :func:`vilora_analysis.fisher.example_fisher`.
    tick
        Called with the number of examples of each batch that is done.

    Raises
    ------
    ConfigError
        If there are fewer than four examples: each half needs a variance.
    LayoutError
        As :func:`vilora_analysis.fisher.example_gradients`.
    """
    sums: list[list[GradientMoments]] = [[], []]
    penalty, seen = None, 0
    with undisturbed(model):
        for inputs, labels in batches:
            if penalty is None:
                penalty = penalty_gradient(model, layout, inputs, labels)
            rows = example_gradients(model, layout, inputs, labels)
            for half, parity in zip(sums, (seen % 2, 1 - seen % 2), strict=True):
                half.append(GradientMoments.of(rows[parity::2]))
            seen += len(rows)
            tick(len(rows))
    if penalty is None or seen < 4:
        raise ConfigError(f"the Fisher of single examples needs four of them, got {seen}")
    return Measured((_sum(sums[0]), _sum(sums[1])), penalty)


def fisher_columns(
    measured: Measured,
    layout: TripletLayout,
    batch_size: int,
    *,
    ks: Sequence[int] | None = None,
    posterior: Mapping[str, Mapping[Factor, Tensor]] | None = None,
) -> dict[str, Any]:
    """Columns of the table (:mod:`vilora_analysis.log.fisher`): a row a triplet and factor.

    Parameters
    ----------
    measured
        What was measured.
    layout
        Layout of the adapter.
    batch_size
        Examples in a batch of the training, for ``predicted_fisher_batch``.
    ks
        By triplet its k in the log; by default as the layout counts.
    posterior
        ``sigma`` and ``hess`` by factor, shape (triplets,), where they are known.
    """
    values = {**_reduced(measured, layout, batch_size), **(posterior or {})}
    numbers = ks or [k for module in layout.modules for k in range(module.rank)]
    keys = [(module.name, module.layer, module.matrix) for module in layout.modules]
    ranks = [module.rank for module in layout.modules]
    by_triplet = [key for key, rank in zip(keys, ranks, strict=True) for _ in range(rank)]
    rows = [
        (*key, k, f) for f in layout.factors for key, k in zip(by_triplet, numbers, strict=True)
    ]
    named = zip(("module", "layer", "matrix", "k", "factor"), zip(*rows, strict=True), strict=True)
    return {
        **{name: list(column) for name, column in named},
        "examples": [measured.moments.count] * len(rows),
        "batch_size": [batch_size] * len(rows),
        **{
            name: torch.cat([by_factor[f] for f in layout.factors]).float().cpu().numpy()
            for name, by_factor in values.items()
        },
    }


def _reduced(
    measured: Measured, layout: TripletLayout, batch_size: int
) -> dict[str, Mapping[Factor, Tensor]]:
    """Means over the elements of each triplet, by column and factor."""
    whole = measured.moments
    elements = {
        "fisher_example": whole.fisher,
        "fisher_half_1": measured.halves[0].fisher,
        "fisher_half_2": measured.halves[1].fisher,
        "mean_gradient_squared": whole.mean.square(),
        "gradient_variance": whole.variance,
        "penalty_squared": measured.penalty.double().square(),
        "predicted_fisher_batch": whole.shifted(measured.penalty).batch_square(batch_size),
    }
    reduced = layout.reduce(torch.stack(list(elements.values())))
    return {
        name: {factor: values[row] for factor, values in reduced.items()}
        for row, name in enumerate(elements)
    }


def _sum(parts: list[GradientMoments]) -> GradientMoments:
    first, *others = parts
    for other in others:
        first = first + other
    return first
