"""Reading part files: their rows, row group by row group, or which of them is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import Part
from vilora_analysis.log.selection import Selection

__all__ = [
    "PartGoneError",
    "open_part",
    "read_groups",
    "read_part",
    "recorded_steps",
    "until_settled",
]

_T = TypeVar("_T")

_DAMAGE = (OSError, pa.ArrowException, UnicodeDecodeError)


class PartGoneError(LogError):
    """A part that was listed is not there any more: it may have been put together with others."""


def open_part(part: Part) -> pq.ParquetFile:
    """Open one part, to read with its checksums verified.

    Raises
    ------
    PartGoneError
        If it is not there any more.
    LogError
        Naming the file, if it is damaged.
    """
    try:
        return pq.ParquetFile(part.path, page_checksum_verification=True)
    except _DAMAGE as error:
        if not os.path.lexists(part.path):
            raise PartGoneError(f"{part.path} is not there any more") from None
        raise LogError(f"{part.path} is damaged: {error}") from None


def until_settled(read: Callable[[], _T]) -> _T:
    """Read, and once more whenever parts were put together meanwhile."""
    while True:
        try:
            return read()
        except PartGoneError:
            pass  # what it lists next time has the wider part


def read_groups(
    part: Part, columns: Sequence[str] | None = None, wanted: Selection | None = None
) -> Iterator[pa.Table]:
    """Read one part, a row group at a time; groups without a step that is meant are left out.

    Raises
    ------
    PartGoneError
        As :func:`open_part`.
    LogError
        Naming the file, if it is damaged or lacks a column.
    """
    file = open_part(part)
    try:
        names = None if columns is None else _known(part, file.schema_arrow.names, columns)
        for group in range(file.num_row_groups):
            if wanted is None or wanted.overlaps(*_span(part, file.metadata, group)):
                yield file.read_row_group(group, columns=names)
    except _DAMAGE as error:
        raise LogError(f"{part.path} is damaged: {error}") from None


def read_part(part: Part, columns: Sequence[str] | None = None, *, rows: bool = True) -> pa.Table:
    """Read the whole of one part, or only of which columns it is.

    Raises
    ------
    PartGoneError, LogError
        As :func:`read_groups`.
    """
    file = open_part(part)
    try:
        names = None if columns is None else _known(part, file.schema_arrow.names, columns)
        return file.read(columns=names) if rows else file.read_row_groups([], columns=names)
    except _DAMAGE as error:
        raise LogError(f"{part.path} is damaged: {error}") from None


def recorded_steps(part: Part, every: int | None = None) -> np.ndarray:
    """Steps of one part, ascending; its name suffices if one in ``every`` is recorded.

    A writer begins a new part after a gap.
    """
    if part.first == part.last:
        return np.array([part.first], dtype=np.int64)
    if every is not None and (part.last - part.first) % every == 0:
        return np.arange(part.first, part.last + 1, every, dtype=np.int64)
    return np.unique(read_part(part, ["step"])["step"].to_numpy())


def _known(part: Part, there: Sequence[str], columns: Sequence[str]) -> list[str]:
    missing = [name for name in columns if name not in there]
    if missing:
        raise LogError(
            f"{part.path.parent} has no column {', '.join(missing)}; it has: {', '.join(there)}"
        )
    return list(dict.fromkeys(columns))


def _span(part: Part, metadata: pq.FileMetaData, group: int) -> tuple[int, int]:
    """First and last step of a row group, or of the part, where the file does not say."""
    if metadata.num_row_groups > 1:
        chunks = metadata.row_group(group)
        columns = (chunks.column(at) for at in range(chunks.num_columns))
        known = next((c.statistics for c in columns if c.path_in_schema == "step"), None)
        if known is not None and known.has_min_max:
            return known.min, known.max
    return part.first, part.last
