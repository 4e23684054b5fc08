"""Part files: whole steps in order, each appearing under its final name all at once.

Whatever bears a part's name is complete: it is written aside, flushed to disk, and renamed. The
name carries the part's place in the sequence and its first and last step, so that a reader finds a
range of steps without opening anything.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError

__all__ = ["Part", "list_parts", "ordered_parts", "replace_file", "write_part"]

_NAME = re.compile(r"part-(\d{6,})-(\d{9,})-(\d{9,})\.parquet")


@dataclass(frozen=True, order=True)
class Part:
    """One part file: its place in the sequence, its first and last step, and where it is."""

    sequence: int
    first: int
    last: int
    path: Path


def list_parts(directory: Path) -> list[Part]:
    """Parts of one table in their order; other files do not count."""
    if not directory.is_dir():
        return []
    found = ((_NAME.fullmatch(path.name), path) for path in directory.iterdir())
    return sorted(
        Part(int(match[1]), int(match[2]), int(match[3]), path) for match, path in found if match
    )


def ordered_parts(directory: Path) -> list[Part]:
    """Parts of a table whose every step stands in one part only.

    Raises
    ------
    LogError
        If two parts hold the same steps.
    """
    parts = list_parts(directory)
    for before, part in itertools.pairwise(parts):
        if part.first <= before.last:
            raise LogError(
                f"{part.path} repeats steps of {before.path.name}; delete the part that is too "
                "much, vilora check says more"
            )
    return parts


def write_part(directory: Path, sequence: int, table: pa.Table) -> Part:
    """Write a table of whole steps, in order, as one part.

    Float columns are split by byte before they are compressed, which is what makes them small:
    signs and exponents of neighbouring triplets are alike, mantissas are not.

    Raises
    ------
    LogError
        If the disk is full, or the folder cannot be written; nothing is left half written.
    """
    steps = table.column("step")
    first, last = steps[0].as_py(), steps[-1].as_py()
    path = directory / f"part-{sequence:06d}-{first:09d}-{last:09d}.parquet"
    columns = dict(_leaf(field) for field in table.schema)
    floats = [name for name, kind in columns.items() if pa.types.is_floating(kind)]
    with _written_aside(path) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            use_dictionary=[name for name in columns if name not in floats],
            use_byte_stream_split=floats,
            write_page_checksum=True,
        )
    return Part(sequence, first, last, path)


def _leaf(field: pa.Field) -> tuple[str, pa.DataType]:
    """Path and type of the values that Parquet stores for a column: a list's are its elements."""
    if pa.types.is_list(field.type):
        return f"{field.name}.list.element", field.type.value_type
    return field.name, field.type


def replace_file(path: Path, text: str) -> None:
    """Replace a small text file so that a reader sees the old or the new, never half of it.

    Raises
    ------
    LogError
        As :func:`write_part`.
    """
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replace a file of any kind, as :func:`replace_file`."""
    with _written_aside(path) as file:
        file.write(content)


@contextmanager
def _written_aside(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to that takes the name ``path`` once it is whole and on disk."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            _to_disk(file.fileno())
        _rename(aside, path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise LogError(
            f"cannot write {path}: {error.strerror or error}; what was written before stays whole"
        ) from error


def _to_disk(descriptor: int) -> None:
    os.fsync(descriptor)


def _rename(aside: Path, path: Path) -> None:
    os.replace(aside, path)
    if os.name == "posix":  # the rename itself lives in the directory
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            _to_disk(directory)
        finally:
            os.close(directory)
