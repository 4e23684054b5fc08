"""Where damaged files of a run go: out of the readers' way, whole, with a note of why and when."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import replace_file, sync_folder

__all__ = ["FOLDER", "Note", "notes", "set_aside"]

FOLDER = "set-aside"
"""Folder of a run that no reader looks into; what is in it can be moved back by hand."""

_NOTES = "notes.json"


@dataclass(frozen=True)
class Note:
    """One file that was set aside: where it was and is, below the run, why, and when (UTC)."""

    file: str
    kept_as: str
    why: str
    when: str


def notes(run: Path) -> list[Note]:
    """What was set aside in a run so far; what cannot be understood of the notes is left out."""
    try:
        rows = json.loads((run / FOLDER / _NOTES).read_text(encoding="utf-8"))
        return [Note(**row) for row in rows]
    except (OSError, ValueError, TypeError):
        return []


def set_aside(run: Path, file: Path, why: str) -> Note:
    """Move a file of a run out of the way.

    The note is on disk before the file moves: killed in between, the same call does it again.

    Parameters
    ----------
    run
        The run directory, with its lock held.
    file
        A file or folder in it.
    why
        What is wrong with it.

    Raises
    ------
    LogError
        If the folder cannot be written.
    """
    place = file.relative_to(run)
    target = _free(run / FOLDER / place)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    note = Note(place.as_posix(), target.relative_to(run).as_posix(), why, when)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        known = [old for old in notes(run) if (run / old.kept_as).exists()]
        text = json.dumps([asdict(old) for old in [*known, note]], indent=1, ensure_ascii=False)
        replace_file(run / FOLDER / _NOTES, text + "\n")
        os.rename(file, target)
        sync_folder(target.parent)
        sync_folder(file.parent)
    except OSError as error:
        raise LogError(f"cannot set {file} aside: {error.strerror or error}") from None
    return note


def _free(path: Path) -> Path:
    """The path, or one that is numbered on if something of that name was set aside before."""
    at, free = 1, path
    while os.path.lexists(free):
        free = path.with_name(f"{path.name}.{at}")
        at += 1
    return free
