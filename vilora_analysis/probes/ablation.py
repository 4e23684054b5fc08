"""Taking triplets out of an adapter, for a moment or for good."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

    from vilora_analysis.triplets import TripletLayout

__all__ = ["remove", "without"]


@torch.no_grad()
def remove(model: nn.Module, layout: TripletLayout, triplets: Collection[int]) -> None:
    """Remove triplets: E_k is set to 0, or row k of A where there is no E.

    Parameters
    ----------
    model
        The adapted model.
    layout
        Its layout.
    triplets
        Indices in the order of the layout.
    """
    for parameter, rows in _places(model, layout, triplets):
        parameter[rows] = 0.0


@contextmanager
def without(model: nn.Module, layout: TripletLayout, triplets: Collection[int]) -> Iterator[None]:
    """Remove triplets for the block, as :func:`remove` does."""
    places = _places(model, layout, triplets)
    saved = [(parameter, parameter.detach().clone()) for parameter, _ in places]
    remove(model, layout, triplets)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in saved:
                parameter.copy_(value)


def _places(
    model: nn.Module, layout: TripletLayout, triplets: Collection[int]
) -> list[tuple[nn.Parameter, list[int]]]:
    """Parameters that hold the triplets, and which of their rows."""
    gone, live = set(triplets), dict(model.named_parameters())
    places = []
    for module in layout.modules:
        rows = [k for k in range(module.rank) if module.first + k in gone]
        if rows:
            name = module.parameters.get("E") or module.parameters["A"]
            places.append((live[name], rows))
    return places
