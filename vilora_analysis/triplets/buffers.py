"""Memory that is written over at every step, where a new tensor each time would cost more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Buffers", "held_as"]


class Buffers:
    """Flat vectors by name, each with views of it in the shapes of some parameters.

    What is read from one is good until the same name is written again.

    Parameters
    ----------
    shapes
        Shape of each parameter, in the order in which they lie in a vector.
    """

    def __init__(self, shapes: Sequence[Sequence[int]]) -> None:
        self._shapes = [torch.Size(shape) for shape in shapes]
        self._flats: dict[str, Tensor] = {}
        self._views: dict[str, list[Tensor]] = {}

    def flat(self, name: str, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Vector of a name, with whatever was written into it last."""
        held = self._flats.get(name)
        if held is None or held.dtype != dtype or held.device != device:
            size = sum(shape.numel() for shape in self._shapes)
            held = self._flats[name] = torch.empty(size, dtype=dtype, device=device)
            self._views.pop(name, None)
        return held

    @torch.no_grad()
    def copy(self, name: str, tensors: Sequence[Tensor]) -> Tensor:
        """Copy one tensor a parameter into the vector of a name, in a single call.

        Returns
        -------
        Tensor
            The vector, in the tensors' common type and float32 at least.
        """
        flat = self.flat(name, held_as(tensors), tensors[0].device)
        torch._foreach_copy_(self.views(name), list(tensors))
        return flat

    def views(self, name: str) -> list[Tensor]:
        """Views of the vector of a name, in the shapes of the parameters."""
        if name not in self._views:
            pieces = self._flats[name].split([shape.numel() for shape in self._shapes])
            self._views[name] = [
                piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)
            ]
        return self._views[name]


def held_as(tensors: Sequence[Tensor]) -> torch.dtype:
    """Type that holds all of them, float32 at least."""
    dtype = torch.float32
    for found in {tensor.dtype for tensor in tensors} - {dtype}:
        dtype = torch.promote_types(dtype, found)
    return dtype
