"""Reading just the bytes of a remote file that are asked for, each of them once."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pyarrow.parquet as pq

from vilora_analysis.log.layout import column_chunks
from vilora_analysis.log.places import is_remote, reached

__all__ = ["RangeFile", "Source", "prefetch_columns", "source_of", "to_read"]

_TAIL = 2**16  # the footer of a part of many columns, as readers of Parquet ask for it
_HELD_BYTES = 2**27
_HOLE = 2**13  # fewer bytes than a request costs; readers of Parquet take them along too


class RangeFile(io.RawIOBase):
    """A remote file that fetches ranges and keeps the last ones.

    Parquet's reader asks for the footer, then for the columns it needs; so do the checksums, of
    the same bytes. Each range is fetched once, several at a time, and about 128 MB are kept.

    Parameters
    ----------
    path
        A path for which :func:`~vilora_analysis.log.places.is_remote` is true.

    Attributes
    ----------
    fetched
        Bytes that were asked of the store so far.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    LogError
        If the store cannot be reached.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._place = path
        self._files: Any = cast(Any, path).fs
        self._path: str = cast(Any, path).path
        with reached(path):
            self._size = int(self._files.info(self._path)["size"])
        self._at = self.fetched = 0
        self._held: dict[int, bytes] = {}
        self.prefetch([(max(0, self._size - _TAIL), self._size)])

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch what is not held of some ranges, each from its start up to, not including, its end.

        Raises
        ------
        LogError
            If the store cannot be reached.
        """
        missing = [gap for span in _joined(ranges) for gap in self._gaps(*span)]
        if not missing:
            return
        starts, ends = map(list, zip(*missing, strict=True))
        with reached(self._place):
            found = self._files.cat_ranges(
                [self._path] * len(missing), starts, ends, on_error="raise"
            )
        for (start, end), content in zip(missing, found, strict=True):
            if len(content) != end - start:
                raise OSError(f"{len(content)} bytes came of {end - start}")
            self.fetched += len(content)
            self._held[start] = content

    def _gaps(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What is not held between two places; pieces that are held do not overlap."""
        for at, content in sorted(self._held.items()):
            if at < end and start < at + len(content):
                if start < at:
                    yield start, at
                start = at + len(content)
        if start < end:
            yield start, end

    def _holding(self, start: int, end: int) -> bytes:
        pieces = (
            content[max(0, start - at) : end - at]
            for at, content in sorted(self._held.items())
            if at < end and start < at + len(content)
        )
        return b"".join(pieces)

    def _forget(self) -> None:
        """Drop the oldest pieces when they have become many bytes."""
        while sum(map(len, self._held.values())) > _HELD_BYTES:
            del self._held[next(iter(self._held))]

    def read(self, size: int | None = -1) -> bytes:
        """Read on from where the file stands."""
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        self.prefetch([(self._at, end)])
        content = self._holding(self._at, end)
        self._forget()
        self._at = end
        return content

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        """Read the rest."""
        return self.read()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Stand elsewhere."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Where the file stands."""
        return self._at

    def size(self) -> int:
        """Bytes of the whole file."""
        return self._size

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True


Source = Path | RangeFile
"""A path of this machine, or an open remote file."""


def source_of(path: Path) -> Source:
    """What readers of Parquet take: a path of this machine, or an open remote file."""
    return RangeFile(path) if is_remote(path) else path


def prefetch_columns(
    source: Source, metadata: pq.FileMetaData, group: int, names: Collection[str] | None
) -> None:
    """Fetch some columns of a row group of a remote Parquet file, all of them at once."""
    if not isinstance(source, RangeFile):
        return
    source.prefetch(
        (first, first + size)
        for column, first, size in column_chunks(metadata, group)
        if names is None or column in names
    )


@contextmanager
def to_read(source: Source) -> Iterator[IO[bytes]]:
    """Open a source that is a path; one that is open stays so."""
    if isinstance(source, RangeFile):
        yield cast(IO[bytes], source)
        return
    with source.open("rb") as file:
        yield file


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that are near as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1] + _HOLE:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif start < end:
            joined.append((start, end))
    return joined
