"""Whole steps of the triplets, kept as dense arrays until they are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from vilora_analysis.log.background import Background
from vilora_analysis.log.buffers import Deferred, Numbered
from vilora_analysis.log.manifest import ModuleRow

__all__ = ["Block", "StepLayout", "StepsInHand"]


class StepLayout:
    """What is the same at every step: the columns, the keys of the rows, the distance of steps."""

    def __init__(self, schema: pa.Schema, modules: Sequence[ModuleRow], every: int) -> None:
        self.schema, self.every = schema, every
        self.keys = _key_columns(modules)
        self.n_rows = len(self.keys["k"])
        self.floats = [f.name for f in schema if pa.types.is_floating(f.type)]

    def table(self, steps: Sequence[int], values: np.ndarray, kept: np.ndarray) -> pa.Table:
        """Rows of some steps, from arrays of shape (columns, steps, rows) and (steps, rows)."""
        n = len(steps)
        columns: dict[str, Any] = {
            "step": np.repeat(np.asarray(steps, dtype=np.int64), self.n_rows),
            "kept": kept.reshape(-1),
            **{name: pa.concat_arrays([array] * n) for name, array in self.keys.items()},
            **{name: values[i].reshape(-1) for i, name in enumerate(self.floats)},
        }
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)


class Block:
    """Steps of the triplets, kept as one dense array, column by column as Arrow takes it.

    Parameters
    ----------
    layout
        Of every step.
    rows
        About how many a full block has.
    parts
        Where it is written.
    emptied
        Called with the block once it may be filled again.
    """

    table = "triplets"

    def __init__(
        self,
        layout: StepLayout,
        rows: int,
        parts: Numbered,
        emptied: Callable[[Block], None],
    ) -> None:
        capacity = max(1, rows // layout.n_rows)
        self._layout, self._parts, self._emptied = layout, parts, emptied
        # column by column, so that each becomes one Arrow array without a copy
        self._values = np.empty((len(layout.floats), capacity, layout.n_rows), dtype=np.float32)
        self._kept = np.empty((capacity, layout.n_rows), dtype=bool)
        self.steps: list[int] = []
        self.absent: set[int] = set()
        self._written = 0

    @property
    def full(self) -> bool:
        """Whether no step has room."""
        return len(self.steps) == len(self._kept)

    def goes_on(self, step: int) -> bool:
        """Whether a step is the next: a part has no gaps, its name says which steps it holds."""
        return not self.steps or step == self.steps[-1] + self._layout.every

    def fill(self, at: int, values: np.ndarray, kept: np.ndarray) -> None:
        """Put numbers in a step's place."""
        self._values[:, at] = values
        self._kept[at] = kept

    @property
    def span(self) -> tuple[int, int]:
        """First and last step that are not written."""
        return self.steps[self._written], self.steps[-1]

    def write(self) -> None:
        """Write each stretch between absent steps as one part, and be empty."""
        for first, last in self._stretches():
            steps = self.steps[first:last]
            values, kept = self._values[:, first:last], self._kept[first:last]
            self._parts.write(self._layout.table(steps, values, kept))
            self._written = last
        self.drop()

    def drop(self) -> None:
        """Forget everything, and be filled again."""
        self.steps, self.absent, self._written = [], set(), 0
        self._emptied(self)

    def _stretches(self) -> Iterator[tuple[int, int]]:
        first = self._written
        for at in [*sorted(self.absent), len(self.steps)]:
            if at > first:
                yield first, at
            first = max(first, at + 1)


class StepsInHand:
    """Steps of the triplets, collected in one block while the one before is written.

    Parameters
    ----------
    make
        Makes a block, given what to call once it may be filled again.
    background
        Writes, or resolves what comes later; without a thread there is one block only.
    hand_over
        Has a full block written.
    absent
        Told of a step whose numbers could not be had.
    jumped
        Told of a step and the one before: there may be steps between that never came, as the caller
        went on from an error.
    after
        Step after which they go on; 0 if there is none.
    """

    def __init__(
        self,
        make: Callable[[Callable[[Block], None]], Block],
        background: Background,
        hand_over: Callable[[Block], None],
        absent: Callable[[int, Exception], None],
        jumped: Callable[[int, int], None],
        after: int,
    ) -> None:
        self._background, self._hand_over, self._absent = background, hand_over, absent
        self._jumped, self._last = jumped, after
        self._free: deque[Block] = deque()
        self._free.extend(make(self._free.append) for _ in range(1 + background.threaded))
        self._block: Block | None = None

    def append(self, step: int, values: np.ndarray | Deferred, kept: np.ndarray | Deferred) -> None:
        """Append a step; waits while no block is free."""
        if self._last:
            self._jumped(self._last, step)
        if self._block is not None and (self._block.full or not self._block.goes_on(step)):
            self.flush()
        if self._block is None:
            self._background.wait_until(lambda: bool(self._free))
            self._block = self._free.popleft()
        block, at = self._block, len(self._block.steps)
        if isinstance(values, np.ndarray) and isinstance(kept, np.ndarray):
            block.fill(at, values, kept)
        else:  # in order, so before the block is written
            self._background.submit(partial(self._resolve, block, at, step, values, kept))
        block.steps.append(step)
        self._last = step
        if block.full:
            self.flush()

    def flush(self) -> None:
        """Hand over what there is."""
        if self._block is not None and self._block.steps:
            self._hand_over(self._block)  # if that fails, it stays in hand
            self._block = None

    def _resolve(
        self,
        block: Block,
        at: int,
        step: int,
        values: np.ndarray | Deferred,
        kept: np.ndarray | Deferred,
    ) -> None:
        try:
            block.fill(at, _resolved(values), _resolved(kept))
        except Exception as error:
            block.absent.add(at)
            self._absent(step, error)


def _resolved(values: np.ndarray | Deferred) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.resolve()


def _key_columns(modules: Sequence[ModuleRow]) -> dict[str, pa.Array]:
    rows = [(module, k) for module in modules for k in range(module.rank)]

    def text(values: list[str]) -> pa.Array:
        return pa.array(values).dictionary_encode()

    return {
        "module": text([module.name for module, _ in rows]),
        "layer": pa.array([module.layer for module, _ in rows], pa.int16()),
        "matrix": text([module.matrix for module, _ in rows]),
        "k": pa.array([k for _, k in rows], pa.int32()),
    }
