"""Stretches of the flat order: parameters of one shape side by side, and how they are reduced."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vilora_analysis.triplets.reduction import REDUCTIONS, Factor

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["RANK_AXIS", "Block", "Chunk", "blocks_of", "cut"]

RANK_AXIS: dict[Factor, int] = {"E": 0, "A": 0, "B": 1}
"""Axis of a parameter along which its triplets lie."""


@dataclass(frozen=True)
class Block:
    """Parameters of one factor and one shape, side by side.

    Attributes
    ----------
    factor
        E, A or B.
    start, stop
        Where the block lies, in the flat order or in a chunk of it.
    shape
        (parameters, rows, columns).
    """

    factor: Factor
    start: int
    stop: int
    shape: tuple[int, int, int]

    def view(self, flat: Tensor) -> tuple[Tensor, int]:
        """View a flat ``(..., elements)`` tensor as stacked parameters, and the axis to reduce."""
        stacked = flat[..., self.start : self.stop].unflatten(-1, self.shape)
        return stacked, -2 if RANK_AXIS[self.factor] == 1 else -1

    def reduce(self, flat: Tensor, how: str) -> Tensor:
        """Reduce to ``(..., triplets)``, parameter by parameter, then by k."""
        stacked, axis = self.view(flat)
        reduced = stacked.squeeze(-1) if self.factor == "E" else REDUCTIONS[how](stacked, axis)
        return reduced.flatten(-2)

    def split(self, limit: int) -> Iterator[Block]:
        """Cut into blocks of whole parameters and about equal size, up to ``limit`` elements."""
        count, rows, columns = self.shape
        size = rows * columns
        n_parts = -(-count // max(1, limit // max(1, size)))
        bounds = [count * i // n_parts for i in range(n_parts + 1)]
        for first, last in itertools.pairwise(bounds):
            start, stop = self.start + first * size, self.start + last * size
            yield Block(self.factor, start, stop, (last - first, rows, columns))

    def moved(self, by: int) -> Block:
        """Return the same block, counted from elsewhere."""
        return Block(self.factor, self.start + by, self.stop + by, self.shape)


@dataclass(frozen=True)
class Chunk:
    """A stretch of the flat order that is worked on at once.

    Attributes
    ----------
    start, stop
        Where it lies in the flat order.
    blocks
        Its blocks, counted from its start.
    """

    start: int
    stop: int
    blocks: tuple[Block, ...]


def blocks_of(entries: Iterable[tuple[Factor, tuple[int, ...]]]) -> tuple[Block, ...]:
    """Group parameters, given by factor and shape in the flat order, into blocks."""
    blocks: list[Block] = []
    start = 0
    for factor, (rows, columns) in entries:
        stop = start + rows * columns
        last = blocks[-1] if blocks else None
        if last and last.factor == factor and last.shape[1:] == (rows, columns):
            blocks[-1] = Block(factor, last.start, stop, (last.shape[0] + 1, rows, columns))
        else:
            blocks.append(Block(factor, start, stop, (1, rows, columns)))
        start = stop
    return tuple(blocks)


def cut(blocks: Sequence[Block], limit: int) -> tuple[Chunk, ...]:
    """Cut the flat order into chunks of at most ``limit`` elements, but whole parameters.

    Examples
    --------
    >>> cut(blocks_of([("E", (2, 1)), ("A", (2, 4)), ("A", (2, 4)), ("B", (3, 2))]), 10)[0]
    Chunk(start=0, stop=10, blocks=(Block(factor='E', ...), Block(factor='A', ...)))
    """
    groups: list[list[Block]] = []
    for piece in (part for block in blocks for part in block.split(limit)):
        if groups and piece.stop - groups[-1][0].start <= limit:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return tuple(
        Chunk(group[0].start, group[-1].stop, tuple(b.moved(-group[0].start) for b in group))
        for group in groups
    )
