"""Memory of the latest snapshots, written over in turn once nobody reads it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vilora_analysis.log import LogWriter
    from vilora_analysis.recording.step_numbers import StepNumbers
    from vilora_analysis.triplets import Binding, Buffers

__all__ = ["SnapshotMemory"]


class SnapshotMemory:
    """Room for one snapshot; for two, where a thread reads one while the next is taken.

    Running averages, which alternate between two places of their own, are safe by the same turns:
    what was read at one turn is written over two turns later at the earliest.

    Parameters
    ----------
    binding
        Layout tied to the optimizer.
    writer
        The log, in whose thread numbers are computed; None if there is none.
    """

    def __init__(self, binding: Binding, writer: LogWriter | None) -> None:
        self._writer = writer
        n_turns = 2 if writer is not None and writer.threaded else 1
        self._rooms = [binding.buffers() for _ in range(n_turns)]
        self._readers: list[StepNumbers | None] = [None] * n_turns
        self._turn = 0

    def next(self) -> Buffers:
        """Memory to write over; waits for who still reads it.

        Raises
        ------
        LogError, ScoreError
            What the thread failed with meanwhile.
        """
        self._turn = (self._turn + 1) % len(self._rooms)
        reader = self._readers[self._turn]
        if reader is not None and self._writer is not None:
            self._writer.wait_until(lambda: reader.done)
        self._readers[self._turn] = None
        return self._rooms[self._turn]

    def read_by(self, reader: StepNumbers) -> None:
        """Keep the memory that was taken last until somebody has read it."""
        self._readers[self._turn] = reader
