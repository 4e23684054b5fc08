"""How far a run is, from what is on disk alone: there is no second record to keep in step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from vilora_analysis.errors import LogError
from vilora_analysis.log.lock import is_carried_out, is_held
from vilora_analysis.log.manifest import FILE, Manifest
from vilora_analysis.log.parts import list_parts
from vilora_analysis.log.places import as_place, reached

__all__ = ["ERROR_FILE", "RunState", "find_run_directories", "run_state"]

ERROR_FILE = "error.txt"
"""Why a run failed: the reason in the first line, the traceback below; left by whoever ran it."""

State = Literal["absent", "running", "interrupted", "failed", "finished", "unreadable"]


@dataclass(frozen=True)
class RunState:
    """State of one run directory.

    Attributes
    ----------
    state
        ``running`` if a live process holds it, ``interrupted`` if it was started and nobody does,
        ``absent`` if there is neither a manifest nor an error.
    reason
        Why it failed or cannot be read, in one line.
    steps
        Optimizer steps on disk.
    manifest
        The manifest, where there is one that can be read.
    """

    state: State
    reason: str = ""
    steps: int = 0
    manifest: Manifest | None = None


def run_state(directory: Path) -> RunState:
    """Look up the state of a run.

    An error counts if it is no older than the run's last word: somebody may have mended and
    finished by hand what had failed.
    """
    directory = as_place(directory)
    with reached(directory):
        return _state(directory)


def _state(directory: Path) -> RunState:
    steps = _steps_on_disk(directory)
    try:
        manifest = Manifest.load(directory) if (directory / FILE).exists() else None
    except LogError as error:
        return RunState("unreadable", " ".join(str(error).split()), steps)
    if _is_running(directory, manifest):
        return RunState("running", "", steps, manifest)
    reason = _reason(directory, manifest)
    if reason is not None:
        return RunState("failed", reason, steps, manifest)
    if manifest is None:
        return RunState("absent", "", steps)
    state: State = "interrupted" if manifest.status == "running" else manifest.status
    return RunState(state, "", steps, manifest)


def find_run_directories(directory: Path) -> list[Path]:
    """Directories at any depth that hold a run, or only the reason why there is none.

    Raises
    ------
    LogError
        If there is no such directory.
    """
    directory = as_place(directory)
    with reached(directory):
        if not directory.is_dir():
            raise LogError(f"no directory {directory}; give one that holds runs")
        found = {path.parent for name in (FILE, ERROR_FILE) for path in directory.rglob(name)}
    return sorted(found)


def _is_running(directory: Path, manifest: Manifest | None) -> bool:
    """Who writes a finished run and does not carry it out only puts its parts together."""
    if manifest is not None and manifest.status == "finished":
        return is_carried_out(directory)
    return is_held(directory)


def _reason(directory: Path, manifest: Manifest | None) -> str | None:
    """First line of the error, if it is of this run and not of one before it."""
    path = directory / ERROR_FILE
    try:
        written = path.stat().st_mtime
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    if manifest is not None and written < _last_word(manifest):
        return None
    return lines[0] if lines else "no reason given"


def _last_word(manifest: Manifest) -> float:
    """Seconds since the epoch at which the run ended or, if it has not, began."""
    try:
        return datetime.fromisoformat(manifest.finished or manifest.created).timestamp()
    except ValueError:
        return 0.0


def _steps_on_disk(directory: Path) -> int:
    """Last step of any table, from the names of its parts."""
    parts = [part for table in ("metrics", "triplets") for part in list_parts(directory / table)]
    return max((part.last for part in parts), default=0)
