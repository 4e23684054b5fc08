"""Which steps of a table are meant: one, a range, several, or all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vilora_analysis.errors import LogError

__all__ = ["Selection", "Steps", "select"]

Steps = int | slice | Sequence[int] | None
"""Which steps, by their numbers: one, ``slice(first, stop, stride)``, several, or all.

Negative numbers count from the last recorded step."""

_END = 2**62


@dataclass(frozen=True)
class Selection:
    """Steps to read, without knowing which are there.

    Attributes
    ----------
    first, last
        No step outside these is meant.
    contains
        Whether a step is meant.
    named
        Steps that were asked for one by one, and so have to be there.
    """

    first: int
    last: int
    contains: Callable[[int], bool]
    named: frozenset[int] = frozenset()

    def overlaps(self, first: int, last: int) -> bool:
        """Whether a step from first to last may be meant."""
        if self.named:
            return any(first <= step <= last for step in self.named)
        return first <= self.last and last >= self.first

    def mask(self, steps: np.ndarray) -> np.ndarray:
        """Which of these steps are meant."""
        return np.array([self.contains(int(step)) for step in steps], dtype=bool)

    def filter(self, table: pa.Table) -> pa.Table:
        """Rows of the steps that are meant; those of one step stand together."""
        steps = table["step"].to_numpy()
        starts = np.flatnonzero(np.diff(steps, prepend=-1))
        keep = self.mask(steps[starts])
        if keep.all():
            return table
        lengths = np.diff(starts, append=len(steps))
        return table.filter(pa.array(np.repeat(keep, lengths)))

    def beyond(self, step: int) -> Selection:
        """What of this comes after a step."""
        if step < self.first:
            return self
        later = frozenset(named for named in self.named if named > step)
        return Selection(
            max(self.first, step + 1), self.last, lambda n: n > step and self.contains(n), later
        )


def select(steps: Steps, recorded: Callable[[], np.ndarray]) -> Selection:
    """Understand what a user asks for.

    Parameters
    ----------
    steps
        See :data:`Steps`.
    recorded
        Gives the recorded steps, ascending; called only if something counts from the last.

    Raises
    ------
    LogError
        If something counts further back than there are steps, or a stride is not positive.
    """
    if steps is None:
        return Selection(0, _END, lambda _: True)
    if isinstance(steps, slice):
        return _range(steps, recorded)
    asked = [steps] if isinstance(steps, (int, np.integer)) else list(steps)
    named = frozenset(
        int(step) if step >= 0 else _from_last(int(step), recorded()) for step in asked
    )
    return Selection(min(named, default=0), max(named, default=-1), named.__contains__, named)


def _from_last(step: int, recorded: np.ndarray) -> int:
    if -step <= len(recorded):
        return int(recorded[step])
    raise LogError(f"step {step} counts from the last, but {len(recorded)} steps are recorded")


def _range(steps: slice, recorded: Callable[[], np.ndarray]) -> Selection:
    stride = 1 if steps.step is None else steps.step
    if stride < 1:
        raise LogError(f"steps are read in their order; a stride of {stride} is not positive")
    first = 0 if steps.start is None else _bound(steps.start, recorded)
    stop = _END if steps.stop is None else _bound(steps.stop, recorded)
    return Selection(first, stop - 1, lambda n: first <= n < stop and (n - first) % stride == 0)


def _bound(number: int, recorded: Callable[[], np.ndarray]) -> int:
    """Like a list's: further back than the first is the first."""
    if number >= 0:
        return number
    there = recorded()
    return int(there[max(number, -len(there))]) if len(there) else 0
