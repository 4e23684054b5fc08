"""Which element of which parameter belongs to which triplet, and how elements become one number.

A *triplet* (module, k) is column k of B, value k of E and row k of A. Its elements lie scattered
over three parameters; a :class:`TripletLayout` names the parameters and fixes one flat order of
all their elements, in which equal shapes lie side by side. Element scores then take one call for a
whole model, and the reduction to triplets takes one call for each distinct shape.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from vilora_analysis.errors import LayoutError
from vilora_analysis.triplets.blocks import RANK_AXIS, Block, Chunk, blocks_of, cut
from vilora_analysis.triplets.discovery import AdaptedModule, find_modules
from vilora_analysis.triplets.reduction import FACTORS, Factor

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Block", "TripletLayout"]


class TripletLayout:
    """The one flat order of all adapter elements, by parameter name.

    Parameters
    ----------
    modules
        Adapted modules in model order; triplets are numbered in this order, then by k.
    shapes
        Shape of each parameter by its full name.

    Raises
    ------
    LayoutError
        If there is nothing adapted, or a factor's rank differs from its module's.
    """

    def __init__(
        self, modules: Sequence[AdaptedModule], shapes: dict[str, tuple[int, ...]]
    ) -> None:
        if not modules:
            raise LayoutError(
                "the model has no trainable LoRA or AdaLoRA parameters; wrap it with "
                "peft.get_peft_model first"
            )
        self.modules = tuple(modules)
        self.shapes = dict(shapes)
        entries = [
            (factor, shapes[module.parameters[factor]], module)
            for factor in FACTORS
            for module in self.modules
            if factor in module.parameters
        ]
        for factor, shape, module in entries:
            _check_shape(factor, shape, module)
        # stable: within one factor and shape the modules keep the model's order
        entries.sort(key=lambda entry: (FACTORS.index(entry[0]), entry[1]))
        self.parameter_names = tuple(module.parameters[factor] for factor, _, module in entries)
        self.blocks = blocks_of((factor, shape) for factor, shape, _ in entries)
        self._entries = entries
        self._chunks: dict[int, tuple[Chunk, ...]] = {}
        self._orders: dict[tuple[Factor, torch.device], Tensor] = {}

    @classmethod
    def from_model(cls, model: nn.Module) -> TripletLayout:
        """Find the trainable adapter of a PEFT model, or of any module with PEFT's names.

        Parameters
        ----------
        model
            A ``PeftModel`` with an AdaLoRA (factors E, A, B) or LoRA (A, B) adapter.

        Raises
        ------
        LayoutError
            If there is no trainable adapter, or more than one.
        """
        return cls(*find_modules(model))

    @cached_property
    def n_triplets(self) -> int:
        """Number of triplets, masked ones included."""
        return sum(module.rank for module in self.modules)

    @cached_property
    def n_elements(self) -> int:
        """Number of elements of all factors."""
        return self.blocks[-1].stop

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of elements of each parameter, in the flat order."""
        return tuple(torch.Size(self.shapes[name]).numel() for name in self.parameter_names)

    @cached_property
    def factors(self) -> tuple[Factor, ...]:
        """Factors that are there: E, A, B for AdaLoRA; A, B for LoRA."""
        return tuple(f for f in FACTORS if any(block.factor == f for block in self.blocks))

    @cached_property
    def triplet_names(self) -> tuple[str, ...]:
        """``module[k]`` for each triplet."""
        return tuple(f"{m.name}[{k}]" for m in self.modules for k in range(m.rank))

    @cached_property
    def pattern_keys(self) -> tuple[str, ...]:
        """By module the key of PEFT's ``rank_pattern``: the name of E within the base model."""
        prefix = "base_model.model."
        return tuple(m.parameters["E"].removeprefix(prefix) for m in self.modules)

    def pattern(self, kept: Sequence[bool]) -> dict[str, list[bool]]:
        """PEFT's ``rank_pattern`` from kept triplets."""
        return {
            key: [bool(k) for k in kept[m.first : m.first + m.rank]]
            for key, m in zip(self.pattern_keys, self.modules, strict=True)
        }

    def kept_from_pattern(self, pattern: Mapping[str, list[bool]]) -> list[bool]:
        """Kept triplets, in the order of triplets, from PEFT's ``rank_pattern``."""
        return [kept for row in self.pattern_rows(pattern) for kept in row]

    def pattern_rows(self, pattern: Mapping[str, list[bool]]) -> list[list[bool]]:
        """Rows of PEFT's ``rank_pattern``, one a module, in the order of the modules."""
        # PEFT drops the adapter's name from the keys once the model was saved
        return [
            pattern[k] if k in pattern else pattern[k.rpartition(".")[0]] for k in self.pattern_keys
        ]

    @cached_property
    def block_members(self) -> tuple[tuple[Block, tuple[AdaptedModule, ...]], ...]:
        """Each block with the modules whose parameters are stacked in it, in that order."""
        modules = iter([module for _, _, module in self._entries])
        return tuple(
            (block, tuple(itertools.islice(modules, block.shape[0]))) for block in self.blocks
        )

    def gather(self, tensors: Iterable[Tensor], out: Tensor | None = None) -> Tensor:
        """Lay one tensor a parameter, given in the order of ``parameter_names``, out flat.

        Parameters
        ----------
        tensors
            One a parameter.
        out
            Where to write them; None for a new tensor.

        Returns
        -------
        Tensor
            Shape ``(n_elements,)``, float32 at least.
        """
        pieces = [t if t.dim() == 1 else t.reshape(-1) for t in tensors]
        flat = torch.cat(pieces, out=out)
        return flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat

    def reduce(self, flat: Tensor, how: str = "mean") -> dict[Factor, Tensor]:
        """Reduce elements to triplets, factor by factor.

        Parameters
        ----------
        flat
            Shape ``(..., n_elements)``, in the flat order.
        how
            One of :data:`REDUCTIONS`, over a row of A or a column of B.

        Returns
        -------
        dict of str to Tensor
            For each factor a tensor of shape ``(..., n_triplets)``.
        """
        return self.in_order((block.factor, block.reduce(flat, how)) for block in self.blocks)

    def chunks(self, limit: int) -> tuple[Chunk, ...]:
        """The flat order, cut into stretches of at most so many elements but whole parameters."""
        if limit not in self._chunks:
            self._chunks[limit] = cut(self.blocks, limit)
        return self._chunks[limit]

    def in_order(self, reduced: Iterable[tuple[Factor, Tensor]]) -> dict[Factor, Tensor]:
        """Bring what was reduced block by block into the order of the triplets, by factor.

        Parameters
        ----------
        reduced
            By block, in the flat order: its factor, and what :meth:`Block.reduce` gave.
        """
        parts: dict[Factor, list[Tensor]] = {factor: [] for factor in self.factors}
        for factor, part in reduced:
            parts[factor].append(part)
        return {
            factor: torch.cat(pieces, -1).index_select(-1, self._order(factor, pieces[0].device))
            for factor, pieces in parts.items()
        }

    def _order(self, factor: Factor, device: torch.device) -> Tensor:
        """For each triplet, its place in the concatenation of a factor's blocks."""
        key = (factor, device)
        if key not in self._orders:
            blockwise = [
                module.first + k
                for block, members in self.block_members
                if block.factor == factor
                for module in members
                for k in range(module.rank)
            ]
            # kept there: bringing it anew would wait for the device each time
            self._orders[key] = torch.tensor(blockwise).argsort().to(device)
        return self._orders[key]

    def locate(self, element: int) -> tuple[str, int, Factor]:
        """Module, k and factor that an element of the flat order belongs to."""
        for block, members in self.block_members:
            if block.start <= element < block.stop:
                _, rows, columns = block.shape
                parameter, within = divmod(element - block.start, rows * columns)
                row, column = divmod(within, columns)
                return members[parameter].name, column if block.factor == "B" else row, block.factor
        raise IndexError(f"element {element} of {self.n_elements}")


def _check_shape(factor: Factor, shape: tuple[int, ...], module: AdaptedModule) -> None:
    if len(shape) != 2 or shape[RANK_AXIS[factor]] != module.rank:
        raise LayoutError(
            f"factor {factor} of {module.name!r} has shape {shape}; expected a matrix with "
            f"{module.rank} {'columns' if factor == 'B' else 'rows'}"
        )
