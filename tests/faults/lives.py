"""Processes that are forked to do something, and killed at an instant, or before a call."""

from __future__ import annotations

import io
import itertools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Deadly", "Life", "Tell", "forked"]

Tell = Callable[[str], None]
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "fcntl.flock")


@dataclass(frozen=True)
class Life:
    """How a process went: what it told, and whether it was killed."""

    told: tuple[str, ...]
    killed: bool
    error: str = ""

    def what(self, kind: str) -> list[str]:
        """What it told of a kind."""
        return [text.partition(" ")[2] for text in self.told if text.startswith(kind + " ")]


def forked(work: Callable[[Tell], None], patience: float | None = None) -> Life:
    """Do something in a process of its own; kill it so many seconds after it has begun."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _live(work, writing)
    os.close(writing)
    with os.fdopen(reading) as lines:
        told = []
        for line in lines:
            told.append(line.rstrip("\n"))
            if patience is not None and told[-1] == "begun":
                time.sleep(patience)
                os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    error = "" if killed or status == 0 else "\n".join(told[-40:]) or f"status {status}"
    return Life(tuple(told), killed, error)


def _live(work: Callable[[Tell], None], writing: int) -> None:
    status = 1
    try:
        work(lambda text: os.write(writing, f"{text}\n".encode()) and None)
        status = 0
    except BaseException:
        os.write(writing, traceback.format_exc()[-8000:].encode())
    os._exit(status)


class Deadly:
    """Kills its process before the n-th call that changes the disk; a write is half done."""

    def __init__(self, tell: Tell, limit: int, below: Path) -> None:
        self._tell, self._limit, self._below = tell, limit, str(below)
        self._calls = itertools.count()
        self.seen = 0

    def __enter__(self) -> Deadly:
        sys.addaudithook(self._heard)  # for good: the process ends with it
        fsync, path_open, me = os.fsync, Path.open, self

        class Halved(io.FileIO):
            def write(self, data: Any) -> int:
                me._before("write", lambda: super(Halved, self).write(_half(data)))
                return super().write(data)

        def synced(descriptor: int) -> None:
            self._before("fsync")
            fsync(descriptor)

        def opened(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
            if mode != "w+b":
                return path_open(path, mode, *args, **options)
            return io.BufferedRandom(Halved(path, "w+"))

        os.fsync, Path.open = synced, opened  # type: ignore[assignment, method-assign]
        return self

    def __exit__(self, *error: object) -> None:
        self._limit = -1

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and self._is_written(*args)):
            self._before(event)
        if event == "os.rename":
            self._tell(f"renaming {self.seen} {args[1]}")

    def _is_written(self, path: object, mode: object, flags: object) -> bool:
        writes = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
        return writes and str(path).startswith(self._below)

    def _before(self, what: str, half: Callable[[], object] = lambda: None) -> None:
        self.seen = next(self._calls)
        if self.seen == self._limit:
            half()
            self._tell(f"killed {what}")
            os.kill(os.getpid(), signal.SIGKILL)


def _half(data: Any) -> memoryview:
    content = memoryview(data).cast("B")
    return content[: len(content) // 2]
