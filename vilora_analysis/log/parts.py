"""Part files: whole steps in order, each appearing under its final name all at once.

Whatever bears a part's name is complete: it is written aside, flushed to disk, and renamed; an
object store gets it in one upload, and has the whole of it or nothing. The name carries the part's
place in the sequence and its first and last step, so that a reader finds a range of steps without
opening anything.

A part that was put together from others bears the first and the last of their places,
``part-000000to000999-...``: from the instant it is there it stands for all of them, and those of
them that are not deleted yet no longer count.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError
from vilora_analysis.log.checksums import descent, origin_of, seal
from vilora_analysis.log.layout import WRITTEN, parquet_options
from vilora_analysis.log.places import is_remote
from vilora_analysis.log.uploads import AT_ONE_INSTANT, list_names, uploaded

__all__ = [
    "Part",
    "list_parts",
    "ordered_parts",
    "replace_bytes",
    "replace_file",
    "superseded_parts",
    "sync_folder",
    "write_groups",
    "write_part",
]

_NAME = re.compile(r"part-(\d{6,})(?:to(\d{6,}))?-(\d{9,})-(\d{9,})\.parquet")


@dataclass(frozen=True, order=True)
class Part:
    """One part file.

    Attributes
    ----------
    sequence, until
        Its place in the sequence; if it was put together from others, their first and last place.
    first, last
        Its first and last step.
    path
        Where it is.
    """

    sequence: int
    until: int
    first: int
    last: int
    path: Path

    @property
    def name(self) -> str:
        """Its table and file, as the footer of the file says too."""
        return f"{self.path.parent.name}/{self.path.name}"

    def beside(self, first: int, last: int) -> Part:
        """Part of other steps in the same place."""
        return part_at(self.path.parent, self.sequence, self.until, first, last)


def part_at(directory: Path, sequence: int, until: int, first: int, last: int) -> Part:
    """Part of a table, by what its name says."""
    place = f"{sequence:06d}" if until == sequence else f"{sequence:06d}to{until:06d}"
    name = f"part-{place}-{first:09d}-{last:09d}.parquet"
    return Part(sequence, until, first, last, directory / name)


def list_parts(directory: Path) -> list[Part]:
    """Parts of one table in their order, without those that a wider one stands for.

    Whoever puts parts together names the new one before deleting the old. A listing that meets
    neither was overtaken by both, and the next one differs from it; so it is taken until it stays.
    An object store lists up to a thousand names as they are at one instant: once is enough.
    """
    return _counting(directory)[0]


def superseded_parts(directory: Path) -> list[Part]:
    """Parts that a wider one stands for, left over where putting together was interrupted."""
    return _counting(directory)[1]


def _counting(directory: Path) -> tuple[list[Part], list[Part]]:
    counting: list[Part] = []
    superseded: list[Part] = []
    for part in sorted(_named(directory), key=lambda p: (p.sequence, -p.until, p)):
        wider = counting[-1] if counting else part
        same_place = (wider.sequence, wider.until) == (part.sequence, part.until)
        (counting if same_place or part.until > wider.until else superseded).append(part)
    return counting, superseded


def _named(directory: Path) -> list[Part]:
    before: set[str] | None = None
    while True:
        try:
            listed = list_names(directory) if is_remote(directory) else os.listdir(directory)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = {name for name in listed if name.startswith("part-")}
        if names == before or (is_remote(directory) and len(listed) < AT_ONE_INSTANT):
            break
        before = names
    found = (_NAME.fullmatch(name) for name in names)
    return [
        Part(int(m[1]), int(m[2] or m[1]), int(m[3]), int(m[4]), directory / m[0])
        for m in found
        if m
    ]


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
    part = part_at(directory, sequence, sequence, steps[0].as_py(), steps[-1].as_py())
    write_groups(part, table.schema, [table])
    return part


def write_groups(
    part: Part,
    schema: pa.Schema,
    groups: Iterable[pa.Table],
    before_naming: Callable[[Path], None] = lambda _: None,
    level: int = WRITTEN,
) -> None:
    """Write a part as a sequence of row groups, one in memory at a time.

    Parameters
    ----------
    part
        What its name is to be.
    schema
        Of all groups.
    groups
        Tables of whole steps, in order.
    before_naming
        Gets the whole file, on disk, while it has no name yet.
    level
        Of compression.

    Raises
    ------
    LogError
        As :func:`write_part`.
    """
    with _written_aside(part.path, before_naming) as file:
        with pq.ParquetWriter(
            file,
            schema.remove_metadata(),
            **parquet_options(schema, level),
        ) as writer:
            for table in groups:
                writer.write_table(table, row_group_size=max(1, table.num_rows))
            writer.add_key_value_metadata(descent(origin_of(schema.metadata)[0], part.name))
        seal(file, writer.writer.metadata)


def replace_file(path: Path, text: str | Iterable[str]) -> None:
    """Replace a text file so that a reader sees the old or the new, never half of it.

    Parameters
    ----------
    path
        The file.
    text
        Its content, or pieces of it, of which one is in memory at a time.

    Raises
    ------
    LogError
        As :func:`write_part`.
    """
    with _written_aside(path) as file:
        for piece in [text] if isinstance(text, str) else text:
            file.write(piece.encode())


def replace_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replace a file of any kind, as :func:`replace_file`."""
    with _written_aside(path) as file:
        file.write(content)


@contextmanager
def _written_aside(
    path: Path, before_naming: Callable[[Path], None] = lambda _: None
) -> Iterator[IO[bytes]]:
    """Give a file to write to that takes the name ``path`` once it is whole and on disk."""
    if is_remote(path):
        with uploaded(path, before_naming) as file:
            yield file
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("w+b") as file:
            yield file
            file.flush()
            _to_disk(file.fileno())
        before_naming(aside)
        _rename(aside, path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise LogError(
            f"cannot write {path}: {error.strerror or error}; what was written before stays whole"
        ) from error
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


def _to_disk(descriptor: int) -> None:
    os.fsync(descriptor)


def _rename(aside: Path, path: Path) -> None:
    os.replace(aside, path)
    sync_folder(path.parent)  # the name itself lives in the folder


def sync_folder(folder: Path) -> None:
    """Put on disk which names a folder has; an object store has done so."""
    if os.name == "posix" and not is_remote(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            _to_disk(descriptor)
        finally:
            os.close(descriptor)
