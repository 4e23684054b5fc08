"""What a part says of itself and, if it was put together from others, what those had said."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import Part, list_parts, replace_bytes, sync_folder
from vilora_analysis.log.places import make_folder, remove_if_empty
from vilora_analysis.log.ranged import source_of, to_read

__all__ = ["FOLDER", "damaged_origins", "forget_origins", "testimony", "write_origin"]

FOLDER = "compacted"
"""Folder of a run with a file for each part that was put together; not a table."""

_CHUNK = 2**20
_KEY_BYTES = hashlib.sha256().digest_size
_SUM = bytes.fromhex("502a4d18") + _KEY_BYTES.to_bytes(4, "little")
"""Begins a frame that readers of zstd skip (RFC 8878, 3.1.2): SHA-256 of all that is before it."""
_SUM_BYTES = len(_SUM) + _KEY_BYTES


def testimony(run: Path, part: Part) -> Iterator[bytes]:
    """Table, name, size and Parquet footer of a part as it was recorded.

    Of one that was put together that is what its sources said, one after the other, as long as it
    is still the file that was made of them; otherwise what it says itself.

    Raises
    ------
    FileNotFoundError
        If the part is not there any more.
    OSError
        If a file cannot be read.
    LogError
        If what is kept of the origin is damaged.
    """
    own = b"".join(_own(part, part.path))
    if part.until == part.sequence:
        yield own
        return
    try:
        yield from _sources(_path(run, part), hashlib.sha256(own).digest())
    except FileNotFoundError:
        part.path.stat()  # both may be gone, for a part that is wider still
        yield own


def write_origin(run: Path, part: Part, aside: Path, sources: Iterable[Part]) -> None:
    """Keep what the sources of a part say of themselves.

    Parameters
    ----------
    run
        The run directory.
    part
        What was put together, by the name it is about to get.
    aside
        Where it is.
    sources
        Parts it was made of.
    """
    path = _path(run, part)
    make_folder(path.parent)
    sync_folder(run)
    kept = pa.BufferOutputStream()
    with pa.CompressedOutputStream(kept, "zstd") as stream:
        stream.write(hashlib.sha256(b"".join(_own(part, aside))).digest())
        for source in sources:
            for said in testimony(run, source):
                stream.write(said)
    frame = memoryview(kept.getvalue())
    replace_bytes(path, b"".join([frame, _SUM, hashlib.sha256(frame).digest()]))


def forget_origins(run: Path) -> None:
    """Delete what is kept of parts that are not there any more."""
    tables = [folder for folder in run.iterdir() if folder.is_dir()]
    needed = {_path(run, part) for table in tables for part in list_parts(table)}
    for path in (run / FOLDER).glob("*"):
        if path not in needed:
            path.unlink()
    with suppress(OSError):
        remove_if_empty(run / FOLDER)  # if nothing is left


def damaged_origins(run: Path) -> Iterator[tuple[Path, str]]:
    """Files of what parts said before they were put together that are damaged, and how."""
    for path in sorted((run / FOLDER).glob("*.zst")):
        try:
            for _ in _kept(path):
                pass
        except FileNotFoundError:  # put together again meanwhile
            continue
        except LogError as error:
            yield path, str(error).removeprefix(f"{path} ")


def _path(run: Path, part: Part) -> Path:
    name = part.path.stem.removeprefix("part-")
    return run / FOLDER / f"{part.path.parent.name}-{name}.zst"


def _own(part: Part, path: Path) -> Iterator[bytes]:
    with to_read(source_of(path)) as file:
        size = file.seek(0, os.SEEK_END)
        yield f"\0{part.path.parent.name}/{part.path.name}\0{size}\0".encode()
        yield _parquet_footer(file, size)


def _sources(path: Path, key: bytes) -> Iterator[bytes]:
    """What sources said, if the key is the one it was written under; FileNotFoundError if not."""
    kept = _kept(path)
    if next(kept) != key:
        raise FileNotFoundError(path)
    yield from kept


def _kept(path: Path) -> Iterator[bytes]:
    """The key that it was written under, then what sources said."""
    with to_read(source_of(path)) as file:
        try:
            frame = _without_sum(file.read())
            with pa.CompressedInputStream(pa.BufferReader(frame), "zstd") as stream:
                key = stream.read(_KEY_BYTES)
                if len(key) < _KEY_BYTES:
                    raise OSError("it ends too early")
                yield key
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except (OSError, pa.ArrowException) as error:
            raise LogError(
                f"{path} is damaged: {error}; delete it, and the digest is that of the large part"
            ) from None


def _without_sum(raw: bytes) -> bytes:
    """What was compressed, its checksum verified; files from before there was one have none.

    Raises
    ------
    OSError
        If it is not what was written.
    """
    frame, tail = raw[:-_SUM_BYTES], raw[-_SUM_BYTES:]
    if not tail.startswith(_SUM):
        return raw
    if hashlib.sha256(frame).digest() != tail.removeprefix(_SUM):
        raise OSError("its bytes are not those that were written")
    return frame


def _parquet_footer(file: IO[bytes], size: int) -> bytes:
    """Footer by the length that stands before the magic number at the end; none if that is not."""
    file.seek(max(size - 8, 0))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > size - 8:
        return b""
    file.seek(size - 8 - length)
    return file.read(length)
