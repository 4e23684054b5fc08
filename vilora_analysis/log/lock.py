"""One writer a run: a lock that dies with its process, and says whose it is."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from filelock import FileLock, Timeout

from vilora_analysis.errors import LogError
from vilora_analysis.log.holder import in_words, this_process
from vilora_analysis.log.places import is_remote
from vilora_analysis.log.store_lock import StoreLock, is_store_locked

__all__ = ["WriterLock", "is_carried_out", "is_held", "is_written", "run_lock", "writer_lock"]

_WRITER, _RUN = ".writer.lock", ".run.lock"
# longer than somebody who only asks whether a run is held keeps the lock
_PATIENCE_SECONDS = 0.5


class WriterLock:
    """Exclusive right to write one run directory of this machine.

    Parameters
    ----------
    directory
        The run directory.

    Raises
    ------
    LogError
        On :meth:`acquire`, if another process holds it; the message names that process.
    """

    def __init__(self, directory: Path) -> None:
        self._holder = directory / ".writer.json"
        self._lock = FileLock(directory / _WRITER, timeout=_PATIENCE_SECONDS)

    def acquire(self) -> None:
        """Take the lock or refuse; the system frees it when its process dies, however it dies."""
        try:
            self._lock.acquire()
        except Timeout:
            raise LogError(
                f"{self._holder.parent} is being written by {self._describe_holder()}; wait for "
                "it, end it, or choose another directory"
            ) from None
        try:
            self._holder.write_text(json.dumps(this_process()), encoding="utf-8")
        except OSError:
            self._lock.release()
            raise

    def release(self) -> None:
        """Give the lock back."""
        with contextlib.suppress(OSError):
            self._holder.unlink()
        self._lock.release()

    def refuse_lost(self) -> None:
        """Nothing to refuse: unlike one in a store, it is not lost while its process lives."""

    def _describe_holder(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            holder = None
        return in_words(holder if isinstance(holder, dict) else {})


def writer_lock(directory: Path) -> WriterLock | StoreLock:
    """Exclusive right to write a run directory; in an object store it outlives its process a bit.

    Parameters
    ----------
    directory
        The run directory.
    """
    return StoreLock(directory) if is_remote(directory) else WriterLock(directory)


def run_lock(directory: Path, timeout: float) -> FileLock:
    """Lock of the process that carries out a run, from before the model is loaded to the very end.

    It is wider than the writer's: with it, two processes that are told to do the same run do not
    both start.

    Parameters
    ----------
    directory
        The run directory.
    timeout
        Seconds to wait for another process, which raises ``filelock.Timeout`` when they are over.
    """
    return FileLock(directory / _RUN, timeout=timeout)


def is_held(directory: Path) -> bool:
    """Whether a live process carries out or writes the run in a directory.

    Asking takes a lock that nobody holds for a moment; whoever starts just then waits that long.
    """
    return is_written(directory, timeout=0) or is_carried_out(directory)


def is_carried_out(directory: Path) -> bool:
    """Whether a live process carries out the run in a directory, whatever it does just now."""
    return not is_remote(directory) and _is_locked(directory / _RUN, timeout=0)


def is_written(directory: Path, timeout: float = _PATIENCE_SECONDS) -> bool:
    """Whether a live process writes a directory, and still does after so many seconds."""
    if is_remote(directory):
        return is_store_locked(directory)
    return _is_locked(directory / _WRITER, timeout)


def _is_locked(path: Path, timeout: float) -> bool:
    if not path.exists():
        return False
    lock = FileLock(path, timeout=timeout)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # not ours to open: go by the note that a writer removes when it ends
        return path.with_suffix(".json").exists()
    lock.release()
    return False
