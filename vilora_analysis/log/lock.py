"""One writer a run: a lock that dies with its process, and says whose it is."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from vilora_analysis.errors import LogError

__all__ = ["WriterLock"]


class WriterLock:
    """Exclusive right to write one run directory.

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
        self._lock = FileLock(directory / ".writer.lock", timeout=0)

    def acquire(self) -> None:
        """Take the lock or refuse; the system frees it when its process dies, however it dies."""
        try:
            self._lock.acquire()
        except Timeout:
            raise LogError(
                f"{self._holder.parent} is being written by {self._describe_holder()}; wait for "
                "it, end it, or choose another directory"
            ) from None
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            self._holder.write_text(json.dumps(holder), encoding="utf-8")
        except OSError:
            self._lock.release()
            raise

    def release(self) -> None:
        """Give the lock back."""
        with contextlib.suppress(OSError):
            self._holder.unlink()
        self._lock.release()

    def _describe_holder(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"
