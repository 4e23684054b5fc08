"""Where the optimizer keeps what belongs to each adapter parameter, held by identity.

Names come from the model, values from the optimizer. The two meet here, parameter by parameter, by
``is``: equal shapes in another order, a copied model or a replaced parameter cannot go unnoticed.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from vilora_analysis.errors import LayoutError
from vilora_analysis.triplets.buffers import Buffers

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from vilora_analysis.triplets.layout import TripletLayout

__all__ = ["Binding", "Place", "unwrap_optimizer"]

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Place:
    """Where one adapter parameter stands in the optimizer: group, and position in the group."""

    group: int
    position: int


@dataclass(frozen=True)
class Binding:
    """A layout, tied to live parameters and to their places in an optimizer.

    Attributes
    ----------
    layout
        The flat order.
    optimizer
        The optimizer itself, wrappers taken off.
    parameters
        Live parameters in the order of ``layout.parameter_names``.
    places
        Place of each in the optimizer.
    """

    layout: TripletLayout
    optimizer: Optimizer
    parameters: tuple[nn.Parameter, ...]
    places: tuple[Place, ...]

    @classmethod
    def create(cls, layout: TripletLayout, model: nn.Module, optimizer: Optimizer) -> Binding:
        """Find every parameter of the layout in model and optimizer.

        Raises
        ------
        LayoutError
            If a parameter of the layout is not one of the optimizer's own, or is there twice.
        """
        optimizer = unwrap_optimizer(optimizer)
        live = dict(model.named_parameters())
        parameters = tuple(live[name] for name in layout.parameter_names)
        places: dict[int, Place] = {}
        for g, group in enumerate(optimizer.param_groups):
            for position, parameter in enumerate(group["params"]):
                if id(parameter) in places:
                    raise LayoutError("a parameter stands twice in the optimizer; list it once")
                places[id(parameter)] = Place(g, position)
        absent = [
            name
            for name, parameter in zip(layout.parameter_names, parameters, strict=True)
            if id(parameter) not in places
        ]
        if absent:
            raise LayoutError(
                f"{len(absent)} adapter parameters are not in the optimizer, for example "
                f"{absent[0]!r}; build the optimizer from this very model's parameters, after "
                "get_peft_model"
            )
        return cls(layout, optimizer, parameters, tuple(places[id(p)] for p in parameters))

    def verify(self) -> None:
        """Check that every place still holds its own parameter.

        Raises
        ------
        LayoutError
            If the optimizer's parameters were reordered or replaced since :meth:`create`.
        """
        groups = [group["params"] for group in self.optimizer.param_groups]
        if self._all_in_place(groups):
            return
        for parameter, place, name in zip(
            self.parameters, self.places, self.layout.parameter_names, strict=True
        ):
            members = groups[place.group] if place.group < len(groups) else ()
            if place.position >= len(members) or members[place.position] is not parameter:
                raise LayoutError(
                    f"parameter {place.position} of the optimizer's group {place.group} is no "
                    f"longer {name!r}; attach the instrument again after changing the optimizer"
                )

    def gather(self, values: Callable[[nn.Parameter], Tensor]) -> Tensor:
        """Lay out flat one tensor a parameter, taken from the parameter itself."""
        return self.layout.gather(values(parameter) for parameter in self.parameters)

    def buffers(self) -> Buffers:
        """Memory for what is read of the parameters, to be written over from step to step."""
        return Buffers([parameter.shape for parameter in self.parameters])

    def gather_groups(self, flats: Sequence[Tensor], out: Tensor | None = None) -> Tensor:
        """Lay out flat what the optimizer keeps as one flat tensor a param group (IVON's state).

        Parameters
        ----------
        flats
            For each param group a tensor over all of its parameters' elements, in group order.
        out
            Where to write them; None for a new tensor.
        """
        groups = [group["params"] for group in self.optimizer.param_groups]
        pieces = [
            flat.split([*map(torch.Tensor.numel, members)])
            for flat, members in zip(flats, groups, strict=True)
        ]
        return self.layout.gather(self._pick(pieces), out)

    def _pick(self, by_group: Sequence[Sequence[_Item]]) -> Sequence[_Item]:
        """Of what stands where the optimizer's parameters stand, take what belongs to ours."""
        lengths = tuple(map(len, by_group))
        if lengths not in self._pickers:
            starts = [0, *itertools.accumulate(lengths)]
            indices = [starts[place.group] + place.position for place in self.places]
            # two at least, and it gives them all as a tuple; the first is dropped again
            self._pickers[lengths] = operator.itemgetter(indices[0], *indices)
        chosen: tuple[_Item, ...] = self._pickers[lengths]([*itertools.chain(*by_group)])
        return chosen[1:]

    def _all_in_place(self, groups: Sequence[Sequence[nn.Parameter]]) -> bool:
        lengths = [*map(len, groups)]
        inside = all(
            place.group < len(lengths) and place.position < lengths[place.group]
            for place in self._last_places
        )
        return inside and all(map(operator.is_, self._pick(groups), self.parameters))

    @cached_property
    def _pickers(self) -> dict[tuple[int, ...], operator.itemgetter[Any]]:
        """How to pick them, by the lengths of the groups: in C, there are hundreds at each step."""
        return {}

    @cached_property
    def _last_places(self) -> tuple[Place, ...]:
        """Of each group the place farthest behind."""
        last = {place.group: place for place in sorted(self.places, key=lambda p: p.position)}
        return tuple(last.values())

    def per_element(self, key: str) -> float | Tensor:
        """Value of a param-group option: a number where all groups agree, else by element."""
        groups = self.optimizer.param_groups
        used = [groups[place.group][key] for place in self._last_places]
        if all(value == used[0] for value in used):
            return float(used[0])
        values = [groups[place.group][key] for place in self.places]
        device = self.parameters[0].device
        by_parameter = torch.tensor(values, dtype=torch.float32, device=device)
        return by_parameter.repeat_interleave(torch.tensor(self.layout.sizes, device=device))


def unwrap_optimizer(optimizer: Any) -> Optimizer:
    """Take wrappers such as ``accelerate``'s off an optimizer."""
    while not isinstance(optimizer, torch.optim.Optimizer):
        optimizer = getattr(optimizer, "optimizer", None)
        if optimizer is None:
            raise LayoutError("expected a torch.optim.Optimizer, or a wrapper around one")
    # accelerate's wrapper is itself an Optimizer, but steps the one inside
    inner = getattr(optimizer, "optimizer", None)
    return unwrap_optimizer(inner) if isinstance(inner, torch.optim.Optimizer) else optimizer
