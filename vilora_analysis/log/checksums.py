"""A part file says of every byte of itself whether it is still the one that was written.

Parquet keeps a checksum of the data of a page, but none of what stands before a page (how it is
encoded, how many values it has) nor of the footer (names, places and counts of all columns). A bit
that flips there can give other numbers without an error. So between pages and footer, where no
reader of Parquet looks, stands a seal: the CRC-32 of each column chunk, and that of the footer::

    PAR1  pages ...  | CRC-32 of each chunk | their count | of footer | of the seal | VLRSEAL1 |
    footer  length of footer  PAR1

The footer says that there must be a seal, which run the part is of, and its name. Parts of before
have none and are read as they are, with the checksums of Parquet.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.log.layout import column_chunks

__all__ = ["ChecksumError", "Seal", "descent", "of_run", "origin_of", "read_seal", "seal"]

_MAGIC = b"VLRSEAL1"
_ENDING = struct.Struct("<III8s")  # chunks, footer, seal, magic
_TAIL = struct.Struct("<I4s")
_GUESS = 2**16  # the footer of a part of many columns, read at once
_BLOCK = 2**22

_SEALED, RUN, NAME = b"vilora.sealed", b"vilora.run", b"vilora.part"


class ChecksumError(OSError):
    """A file is not, byte by byte, the one that was written."""


@dataclass(frozen=True)
class Seal:
    """CRC-32 of each column chunk: row group by row group, in the order of the columns."""

    chunks: tuple[int, ...]

    def refuse_damage(
        self,
        file: IO[bytes],
        metadata: pq.FileMetaData,
        group: int,
        columns: Collection[str] | None = None,
    ) -> None:
        """Compare one row group with its checksums.

        Parameters
        ----------
        file
            The part.
        metadata
            Its footer.
        group
            Which row group.
        columns
            Columns that are going to be read; all if None.

        Raises
        ------
        ChecksumError
            Naming the column.
        """
        n = metadata.num_columns
        for at, (name, start, size) in enumerate(column_chunks(metadata, group)):
            if columns is not None and name not in columns:
                continue
            if _checksum(file, start, size) != self.chunks[group * n + at]:
                raise ChecksumError(f"the bytes of {name} are not those that were written")


def descent(run: str, name: str) -> dict[bytes, bytes]:
    """What the footer of a part that is going to be sealed says of where it belongs."""
    return {_SEALED: b"1", RUN: run.encode(), NAME: name.encode()}


def of_run(schema: pa.Schema, run_id: str) -> pa.Schema:
    """Schema of a table whose parts are to say of which run they are."""
    return schema.with_metadata({RUN: run_id})


def origin_of(metadata: Mapping[bytes, bytes] | None) -> tuple[str, str]:
    """Id of the run and name that a part was written under; empty where it does not say."""
    said = metadata or {}
    return said.get(RUN, b"").decode(), said.get(NAME, b"").decode()


def seal(file: IO[bytes], metadata: pq.FileMetaData) -> None:
    """Put the seal into a part that was just written.

    Parameters
    ----------
    file
        The whole file, to read and to write.
    metadata
        Its footer.
    """
    file.flush()
    size = file.seek(0, os.SEEK_END)
    footer = _footer(file, size)
    groups = range(metadata.num_row_groups)
    ranges = [chunk for group in groups for chunk in column_chunks(metadata, group)]
    sums = struct.pack(f"<{len(ranges)}I", *(_checksum(file, *span[1:]) for span in ranges))
    known = sums + struct.pack("<II", len(ranges), zlib.crc32(footer))
    file.seek(size - len(footer))
    file.write(known + struct.pack("<I8s", zlib.crc32(known), _MAGIC) + footer)


def read_seal(file: IO[bytes]) -> Seal | None:
    """Seal of a part whose footer is as it was written; None if it was written without one.

    Raises
    ------
    ChecksumError
        If footer or seal are damaged, or the seal that the footer tells of is gone.
    """
    size = file.seek(0, os.SEEK_END)
    footer = _footer(file, size)
    end = size - len(footer)
    if end < _ENDING.size:
        _refuse_lost_seal(footer)
        return None
    file.seek(end - _ENDING.size)
    count, of_footer, of_seal, magic = _ENDING.unpack(file.read(_ENDING.size))
    if magic != _MAGIC:
        _refuse_lost_seal(footer)
        return None
    length = 4 * count + 8
    if length + 12 > end:
        raise ChecksumError("its checksums are not those that were written")
    file.seek(end - length - 12)
    known = file.read(length)
    if zlib.crc32(known) != of_seal:
        raise ChecksumError("its checksums are not those that were written")
    if zlib.crc32(footer) != of_footer:
        raise ChecksumError("the bytes of its footer are not those that were written")
    return Seal(struct.unpack(f"<{count}I", known[: 4 * count]))


def _refuse_lost_seal(footer: bytes) -> None:
    if _SEALED in footer:
        raise ChecksumError("the checksums that were written with it are not there")


def _footer(file: IO[bytes], size: int) -> bytes:
    """Footer with its length and the magic number behind it; nothing if that is not there."""
    near = max(0, size - _GUESS)
    file.seek(near)
    tail = file.read()
    if len(tail) < _TAIL.size:
        return b""
    length, magic = _TAIL.unpack(tail[-_TAIL.size :])
    whole = length + _TAIL.size
    if magic != b"PAR1" or whole > size:
        return b""
    if whole > len(tail):
        file.seek(size - whole)
        tail = file.read()
    return tail[-whole:]


def _checksum(file: IO[bytes], start: int, size: int) -> int:
    file.seek(start)
    found = 0
    while size and (piece := file.read(min(size, _BLOCK))):
        found = zlib.crc32(piece, found)
        size -= len(piece)
    return found
