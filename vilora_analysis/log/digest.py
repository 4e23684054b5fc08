"""Which run it was: its name, its id, and a digest of what it recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from vilora_analysis.errors import LogError
from vilora_analysis.log.manifest import FILE
from vilora_analysis.log.origin import testimony
from vilora_analysis.log.parts import list_parts
from vilora_analysis.log.places import as_place, reached
from vilora_analysis.log.reader import Run
from vilora_analysis.provenance import RunReference

__all__ = ["references", "run_digest"]

_ATTEMPTS = 5


def references(runs: Iterable[Run]) -> tuple[RunReference, ...]:
    """Name, id and digest of each run, for :func:`vilora_analysis.provenance.recorded`.

    Raises
    ------
    LogError
        If a file of a run cannot be read.
    """
    return tuple(RunReference(run.name, run.manifest.run_id, run_digest(run.path)) for run in runs)


def run_digest(path: Path) -> str:
    """SHA-256, as hexadecimal, over ``run.json`` and what all parts say of themselves.

    Of a part that is its table, name, size and Parquet footer: schema, number of rows, and of every
    column the least and the largest value, nulls, compressed size and place. No data page is read,
    so that a long run costs milliseconds.

    It is the same for a copy of the run elsewhere and whatever the times of files. It changes with
    the manifest, with a part that is added, dropped, renamed, cut or written anew with other rows.
    It does not see values that are swapped so that sizes and extremes stay, nor flipped bits within
    a page: those the reader finds by the page's checksum. What is asked of a run later (``oracle``,
    ``fisher``), and its adapter, are not part of it.

    It stays where parts are put together by :func:`vilora_analysis.log.compact_run`, which keeps
    what each of them said.

    Parameters
    ----------
    path
        The run directory.

    Raises
    ------
    LogError
        If a file cannot be read.
    """
    path = as_place(path)
    for attempt in range(_ATTEMPTS):
        try:
            with reached(path):
                return _digest(path)
        except FileNotFoundError as error:  # parts were put together meanwhile
            if attempt + 1 == _ATTEMPTS:
                raise LogError(f"cannot read the run {path}: {error}") from None
        except OSError as error:
            raise LogError(f"cannot read the run {path}: {error}") from None
    raise AssertionError("unreachable")


def _digest(path: Path) -> str:
    digest = hashlib.sha256((path / FILE).read_bytes())
    for table in sorted(folder for folder in path.iterdir() if folder.is_dir()):
        for part in list_parts(table):
            for said in testimony(path, part):
                digest.update(said)
    return digest.hexdigest()
