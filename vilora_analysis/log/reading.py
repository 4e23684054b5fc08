"""Reading part files: their rows, row group by row group, or which of them is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError
from vilora_analysis.log.checksums import Seal, of_run, origin_of, read_seal
from vilora_analysis.log.parts import Part
from vilora_analysis.log.ranged import Source, prefetch_columns, source_of, to_read
from vilora_analysis.log.selection import Selection

__all__ = [
    "PartGoneError",
    "open_part",
    "read_groups",
    "read_part",
    "recorded_steps",
    "refuse_foreign",
    "schema_of",
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
    return _sealed(part)[0]


def _sealed(part: Part) -> tuple[pq.ParquetFile, Seal | None, Source]:
    try:
        source = source_of(part.path)
        with to_read(source) as raw:
            known = read_seal(raw)
        file = pq.ParquetFile(source, page_checksum_verification=known is None)
    except _DAMAGE as error:
        if isinstance(error, FileNotFoundError) or not part.path.exists():
            raise PartGoneError(f"{part.path} is not there any more") from None
        raise LogError(f"{part.path} is damaged: {error}") from None
    name = origin_of(file.metadata.metadata)[1]
    if name and name != part.name:
        raise LogError(
            f"{part.path} was written as {name}; give it that name again, or set it aside"
        )
    return file, known, source


def until_settled(read: Callable[[], _T]) -> _T:
    """Read, and once more whenever parts were put together meanwhile."""
    while True:
        try:
            return read()
        except PartGoneError:
            pass  # what it lists next time has the wider part


def read_groups(
    part: Part,
    columns: Sequence[str] | None = None,
    wanted: Selection | None = None,
    run_id: str | None = None,
) -> Iterator[pa.Table]:
    """Read one part, a row group at a time; groups without a step that is meant are left out.

    Parameters
    ----------
    part, columns, wanted
        What to read.
    run_id
        Run that the part must be of, if it says.

    Raises
    ------
    PartGoneError
        As :func:`open_part`.
    LogError
        Naming the file, if it is damaged, of another run, or lacks a column.
    """
    file, known, source = _sealed(part)
    if run_id is not None:
        refuse_foreign(part, file.metadata, run_id)
    names = None if columns is None else _known(part, file.schema_arrow.names, columns)
    try:
        for group in range(file.num_row_groups):
            if wanted is None or wanted.overlaps(*_span(part, file.metadata, group)):
                _refuse_damage(source, known, file.metadata, group, names)
                yield file.read_row_group(group, columns=names)
    except FileNotFoundError:
        raise PartGoneError(f"{part.path} is not there any more") from None
    except _DAMAGE as error:
        raise LogError(f"{part.path} is damaged: {error}") from None


def _refuse_damage(
    source: Source,
    known: Seal | None,
    metadata: pq.FileMetaData,
    group: int,
    names: Sequence[str] | None,
) -> None:
    prefetch_columns(source, metadata, group, names)
    if known is not None:
        with to_read(source) as raw:
            known.refuse_damage(raw, metadata, group, names)


def refuse_foreign(part: Part, metadata: pq.FileMetaData, run_id: str) -> None:
    """Refuse a part that says that it is of another run.

    Raises
    ------
    LogError
        Naming the file and both runs.
    """
    owner = origin_of(metadata.metadata)[0]
    if owner and owner != run_id:
        raise LogError(f"{part.path} is of the run {owner}, and run.json of the run {run_id}")


def read_part(part: Part, columns: Sequence[str] | None = None, *, rows: bool = True) -> pa.Table:
    """Read the whole of one part, or only of which columns it is.

    Raises
    ------
    PartGoneError, LogError
        As :func:`read_groups`.
    """
    file, known, source = _sealed(part)
    names = None if columns is None else _known(part, file.schema_arrow.names, columns)
    try:
        for group in range(file.num_row_groups if rows else 0):
            _refuse_damage(source, known, file.metadata, group, names)
        return file.read(columns=names) if rows else file.read_row_groups([], columns=names)
    except _DAMAGE as error:
        raise LogError(f"{part.path} is damaged: {error}") from None


def schema_of(part: Part) -> pa.Schema:
    """Schema for what is made of a part: with the run that it is of, which its footer says.

    Raises
    ------
    PartGoneError, LogError
        As :func:`open_part`.
    """
    file = open_part(part)
    run = origin_of(file.metadata.metadata)[0]
    return of_run(file.schema_arrow, run) if run else file.schema_arrow


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
