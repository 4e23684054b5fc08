"""The singular values E of all modules, as one flat vector in the order of the triplets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vilora_analysis.errors import LayoutError
from vilora_analysis.triplets import Buffers

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.triplets import Binding

__all__ = ["SingularValues"]


class SingularValues:
    """Every E, by identity, and where the optimizer keeps what belongs to it.

    Parameters
    ----------
    binding
        Layout tied to the optimizer.

    Attributes
    ----------
    parameters, ranks, places, starts
        For each module its parameter E, how many values that has, its place in the optimizer, and
        where the optimizer's flat vector of that param group has it.

    Raises
    ------
    LayoutError
        If the layout has no E.
    """

    def __init__(self, binding: Binding) -> None:
        layout = binding.layout
        if "E" not in layout.factors:
            raise LayoutError(
                "pruning sets singular values to 0 and LoRA has none; adapt the model with "
                "AdaLoRA, or record without a criterion"
            )
        at = {name: i for i, name in enumerate(layout.parameter_names)}
        chosen = [at[module.parameters["E"]] for module in layout.modules]
        self.parameters: list[Tensor] = [binding.parameters[i] for i in chosen]
        self.places = [binding.places[i] for i in chosen]
        self.ranks = [module.rank for module in layout.modules]
        self._buffers = Buffers([parameter.shape for parameter in self.parameters])
        groups = [group["params"] for group in binding.optimizer.param_groups]
        self.starts = [
            sum(p.numel() for p in groups[place.group][: place.position]) for place in self.places
        ]

    def read(self) -> Tensor:
        """Copy them, shape (triplets,)."""
        return self._buffers.copy("E", self.parameters).clone()

    @torch.no_grad()
    def write(self, flat: Tensor) -> None:
        """Set them all, in one call."""
        held = self._buffers.flat("E", flat.dtype, flat.device)
        held.copy_(flat)
        torch._foreach_copy_(self.parameters, self._buffers.views("E"))

    @torch.no_grad()
    def mask(self, kept: Tensor) -> None:
        """Set those to 0 that are not kept."""
        self._buffers.copy("E", self.parameters).masked_fill_(~kept, 0.0)
        torch._foreach_copy_(self.parameters, self._buffers.views("E"))
