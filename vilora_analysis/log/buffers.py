"""What waits to be written: parts of a table, numbered, and rows of the small tables."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from vilora_analysis.log.parts import list_parts, write_part
from vilora_analysis.log.places import make_folder

__all__ = ["Deferred", "LaterNumber", "Numbered", "RowsInHand", "Unwritten"]


class Deferred(Protocol):
    """An array that comes later: what waits for it runs where waiting holds nobody up."""

    def resolve(self) -> np.ndarray:
        """Wait for it."""
        ...


@runtime_checkable
class LaterNumber(Protocol):
    """A metric that comes later."""

    def settle(self) -> None:
        """Compute it, and let go of what it is computed from."""
        ...

    def __float__(self) -> float:
        """The number; computed now, if it was not before."""
        ...


class Unwritten(Protocol):
    """What is handed over to be written."""

    table: str

    @property
    def span(self) -> tuple[int, int]:
        """First and last step that are not on disk yet."""
        ...

    def write(self) -> None:
        """Write the rest, which may have failed before."""
        ...

    def drop(self) -> None:
        """Give the rest up."""
        ...


class Numbered:
    """The part files of one table, numbered on from what is there."""

    def __init__(self, directory: Path) -> None:
        make_folder(directory)
        self._directory = directory
        self._next = max((part.until for part in list_parts(directory)), default=-1) + 1

    def write(self, table: pa.Table) -> None:
        """Write the next part.

        Raises
        ------
        LogError
            If that fails; then it has no name either.
        """
        try:
            write_part(self._directory, self._next, table)
        except Exception:
            if not self._stays():
                raise
        self._next += 1

    def _stays(self) -> bool:
        """Whether a part is there that may not last: it was named, and the folder not synced.

        Its name is taken back, or else two parts would have one number. Where even that fails, the
        part is there, and counts.
        """
        named = list(self._directory.glob(f"part-{self._next:06d}-*.parquet"))
        for path in named:
            with suppress(OSError):
                path.unlink()
        return any(path.exists() for path in named)


class RowsInHand:
    """Rows of a table of few columns."""

    def __init__(self, table: str, parts: Numbered, schema: pa.Schema) -> None:
        self.table = table
        self._parts, self._schema = parts, schema
        self.rows: list[Mapping[str, Any]] = []

    def taken(self) -> RowsInHand:
        """These rows on their own, to be written while others come."""
        taken = RowsInHand(self.table, self._parts, self._schema)
        taken.rows = self.rows
        return taken

    @property
    def span(self) -> tuple[int, int]:
        """First and last step."""
        steps = [int(row["step"]) for row in self.rows]
        return min(steps), max(steps)

    def write(self) -> None:
        """Write them as one part, if they were not before."""
        if self.rows:
            rows = [_settled(row) for row in self.rows]
            self._parts.write(pa.Table.from_pylist(rows, schema=self._schema))
        self.drop()

    def drop(self) -> None:
        """Give them up, wherever this list is known."""
        self.rows.clear()


def _settled(row: Mapping[str, Any]) -> Mapping[str, Any]:
    later = {name: float(value) for name, value in row.items() if isinstance(value, LaterNumber)}
    return {**row, **later} if later else row
