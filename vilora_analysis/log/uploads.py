"""What an object store does in another way than a disk: it lists names, and takes whole files.

An upload is one request, or several that the store joins at the last one: whoever reads meets the
whole object under its final name, or none. There is nothing to rename, and nothing half written is
left under the name if the process dies; what a large upload left unjoined has no name, and a rule
of the bucket (``AbortIncompleteMultipartUpload``) clears it away.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from vilora_analysis.errors import LogError
from vilora_analysis.log.places import reached

__all__ = ["AT_ONE_INSTANT", "list_names", "uploaded"]

AT_ONE_INSTANT = 1_000
"""Names that a store lists by one request, as they all are at that instant."""


def list_names(folder: Path) -> list[str]:
    """Names directly below a remote folder.

    Raises
    ------
    FileNotFoundError
        If there are none.
    LogError
        If the store cannot be reached.
    """
    place = cast(Any, folder)
    with reached(folder):
        found = place.fs.ls(place.path, detail=False)
    return [str(name).rstrip("/").rpartition("/")[2] for name in found]


@contextmanager
def uploaded(path: Path, before_naming: Callable[[Path], None]) -> Iterator[IO[bytes]]:
    """Give a file of this machine to write to; it is uploaded once it is whole.

    Parameters
    ----------
    path
        Where to.
    before_naming
        Gets the whole file before it is uploaded.

    Raises
    ------
    LogError
        If it cannot be uploaded; nothing new is there then.
    """
    place = cast(Any, path)
    with tempfile.TemporaryDirectory(prefix="vilora-") as folder:
        aside = Path(folder) / path.name
        try:
            with aside.open("w+b") as file:
                yield file
            before_naming(aside)
            with reached(path):
                place.fs.put_file(str(aside), place.path)
        except OSError as error:
            raise LogError(
                f"cannot write {path}: {error.strerror or error}; what was written before stays "
                "whole"
            ) from error
