"""Finding the adapter: which parameters of a model are factors of which adapted weight."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vilora_analysis.errors import LayoutError
from vilora_analysis.naming import is_encoder_decoder, matrix_and_layer
from vilora_analysis.triplets.reduction import FACTORS, Factor

if TYPE_CHECKING:
    from torch import nn

__all__ = ["AdaptedModule", "find_modules"]

_PARAMETER = re.compile(
    r"^(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<factor>[EAB])\.(?P<adapter>[^.]+)"
    r"(?:\.weight)?$"
)


@dataclass(frozen=True)
class AdaptedModule:
    """One adapted weight matrix.

    Attributes
    ----------
    name
        Path of the module in the base model.
    matrix, layer
        Role (one of :data:`vilora_analysis.naming.ROLES`, else the module's own name) and layer
        number, if it has one.
    rank
        Number of triplets, masked ones included.
    first
        Index of its first triplet.
    parameters
        Full parameter name by factor, as ``model.named_parameters()`` has it.
    """

    name: str
    matrix: str
    layer: int | None
    rank: int
    first: int
    parameters: dict[Factor, str]


def find_modules(
    model: nn.Module,
) -> tuple[list[AdaptedModule], dict[str, tuple[int, ...]]]:
    """Find the trainable adapter of a PEFT model, or of any module with PEFT's names.

    Parameters
    ----------
    model
        A ``PeftModel`` with an AdaLoRA (factors E, A, B) or LoRA (A, B) adapter.

    Returns
    -------
    modules : list of AdaptedModule
        In model order.
    shapes : dict
        Shape of each of their parameters by its full name.

    Raises
    ------
    LayoutError
        If more than one adapter is trainable, or a factor is missing.
    """
    found: dict[str, dict[Factor, str]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    adapters: dict[str, str] = {}
    for name, parameter in model.named_parameters():
        match = _PARAMETER.match(name)
        if match is None or not parameter.requires_grad:
            continue
        found.setdefault(match["module"], {})[_factor(match["factor"])] = name
        adapters[match["adapter"]] = name
        shapes[name] = tuple(parameter.shape)
    if len(adapters) > 1:
        raise LayoutError(
            f"expected one trainable adapter, got {', '.join(sorted(adapters))}; freeze all but one"
        )
    paired = is_encoder_decoder(name for name, _ in model.named_modules())
    return list(_number(found, shapes, encoder_decoder=paired)), shapes


def _factor(letter: str) -> Factor:
    return next(factor for factor in FACTORS if factor == letter)


def _number(
    found: dict[str, dict[Factor, str]],
    shapes: dict[str, tuple[int, ...]],
    *,
    encoder_decoder: bool,
) -> Iterable[AdaptedModule]:
    first = 0
    for name, parameters in found.items():
        if not {"A", "B"} <= parameters.keys():
            raise LayoutError(f"module {name!r} has factors {', '.join(parameters)}; expected A, B")
        rank = shapes[parameters["A"]][0]
        matrix, layer = matrix_and_layer(name, encoder_decoder=encoder_decoder)
        yield AdaptedModule(name, matrix, layer, rank, first, parameters)
        first += rank
