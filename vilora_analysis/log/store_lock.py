"""One writer a run in an object store: an object that is made only if it is not there.

S3, and what stands in for it, takes a conditional write (``If-None-Match: *``): of two processes
that make the lock at once, one succeeds. Its holder writes it anew every 30 seconds; a lock that
was not for five minutes, by the store's clock against ours, belongs to a process that died, and
the next one takes it by a write that holds only if nobody did so before (``If-Match``).

What that does not give: a holder that is frozen for longer than five minutes, or cut off from the
store, and wakes up again, learns of its loss at its next heartbeat, within 30 seconds, and may
write till then. Stores that do not know conditional writes have the lock looked at once more after
it was made; two that start within the same moment may both believe that they have it.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from vilora_analysis.errors import LogError
from vilora_analysis.log.holder import in_words, this_process
from vilora_analysis.log.places import reached

__all__ = ["StoreLock", "is_store_locked"]

_NAME = ".writer.lock"
_HEARTBEAT_SECONDS = 30.0
_STALE_SECONDS = 300.0


class StoreLock:
    """Exclusive right to write one remote run directory.

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
        self._directory, self._object = directory, directory / _NAME
        self._owner = uuid.uuid4().hex
        self._process = this_process()
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None
        self._tag: str | None = None
        self.lost = False

    def acquire(self) -> None:
        """Take the lock or refuse; it grows stale when its process dies."""
        with reached(self._object):
            if not (self._make() or self._take_over()):
                holder = in_words(_holder(self._object))
                raise LogError(
                    f"{self._directory} is being written by {holder}; wait "
                    f"for it, end it (if it died, its lock ends {_STALE_SECONDS / 60:.0f} minutes "
                    "after its last word), or choose another directory"
                )
        self._beating = threading.Thread(target=self._beat, name="vilora-lock", daemon=True)
        self._beating.start()

    def release(self) -> None:
        """Give the lock back, if it is still ours."""
        self._ended.set()
        if self._beating is not None:
            self._beating.join()
            self._beating = None
        with contextlib.suppress(OSError, LogError), reached(self._object):
            if self._is_ours():
                self._object.unlink()

    def _make(self) -> bool:
        try:
            self._write(mode="create")
        except FileExistsError:
            return self._is_ours()  # made by a try of ours whose answer was lost
        return self._is_ours()

    def _take_over(self) -> bool:
        found = _found(self._object)
        if found is None:
            return self._make()  # given back just now
        if not _is_stale(found):
            return False
        try:
            self._write(tag=_tag(found))
        except OSError:
            return False  # another one was first
        return self._is_ours()

    def _write(self, mode: str = "overwrite", tag: str | None = None) -> None:
        beat = datetime.now(UTC).isoformat(timespec="seconds")
        said = {"owner": self._owner, **self._process, "beat": beat}
        place = cast(Any, self._object)
        only_if = {"IfMatch": tag} if tag else {}
        place.fs.pipe_file(place.path, json.dumps(said).encode(), mode=mode, **only_if)

    def _is_ours(self) -> bool:
        return _holder(self._object).get("owner") == self._owner

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT_SECONDS):
            # when the store cannot be reached, the next beat tells
            with contextlib.suppress(OSError, LogError), reached(self._object):
                found = _found(self._object)
                if found is None or not self._is_ours():
                    self.lost = True
                    return
                self._write(tag=_tag(found))

    def refuse_lost(self) -> None:
        """Refuse to go on if another process took the lock.

        Raises
        ------
        LogError
            Naming the run.
        """
        if self.lost:
            raise LogError(
                f"cannot write {self._directory}: this process did not answer for so long that "
                "another one took its place"
            )


def is_store_locked(directory: Path) -> bool:
    """Whether a live process writes a remote directory, by its last word."""
    lock = directory / _NAME
    with reached(lock):
        found = _found(lock)
    return found is not None and not _is_stale(found)


def _found(lock: Path) -> dict[str, Any] | None:
    place = cast(Any, lock)
    try:
        return dict(place.fs.info(place.path))
    except FileNotFoundError:
        return None


def _tag(found: dict[str, Any]) -> str | None:
    tag = found.get("ETag")
    return str(tag) if tag else None


def _is_stale(found: dict[str, Any]) -> bool:
    written = found.get("LastModified") or found.get("mtime") or found.get("created")
    if not isinstance(written, datetime):
        return False
    return time.time() - written.timestamp() > _STALE_SECONDS


def _holder(lock: Path) -> dict[str, Any]:
    try:
        said = json.loads(lock.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
