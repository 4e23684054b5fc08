"""What happens when a log cannot be written: an error, or a warning and a gap.

``"raise"``: the error comes to whoever trains. What could not be written is kept, and tried again
at the next call. ``"warn"``: one warning; what could not be written is dropped, so that memory does
not grow, and the manifest names the gap as soon as it can be written itself. What is on disk stays
whole either way.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from vilora_analysis.errors import ConfigError, LogError, nearest
from vilora_analysis.log.buffers import Unwritten
from vilora_analysis.log.gaps import Gaps
from vilora_analysis.log.lock import WriterLock
from vilora_analysis.log.places import is_remote
from vilora_analysis.log.remedies import reason, remedy
from vilora_analysis.log.store_lock import StoreLock

__all__ = ["Failures", "OnError", "check_on_error"]

OnError = Literal["raise", "warn"]


def check_on_error(on_error: str) -> None:
    """Refuse a rule that is none.

    Raises
    ------
    ConfigError
        Naming those that there are.
    """
    known = get_args(OnError)
    if on_error not in known:
        hint = nearest(str(on_error), known)
        raise ConfigError(f"on_error {on_error!r} is neither 'raise' nor 'warn'; {hint}".strip())


class Failures:
    """Writes under one of the two rules.

    Parameters
    ----------
    directory
        The run directory; writing goes on in this one only, not in another of its name.
    on_error
        The rule.
    gaps
        Where what is dropped is noted.
    lock
        The writer's: in an object store it can be lost.
    """

    def __init__(
        self,
        directory: Path,
        on_error: OnError,
        gaps: Gaps,
        lock: WriterLock | StoreLock | None = None,
    ) -> None:
        self._directory, self._gaps, self._lock = directory, gaps, lock
        self.warns = on_error == "warn"
        self._folder = _identity(directory)
        self._told: set[str] = set()
        self._untold: list[str] = []

    def write(self, work: Unwritten, before: Callable[[], None] = lambda: None) -> None:
        """Write, or fail by the rule.

        What is to be done ``before`` fails with it: a gap is said before a part is behind it, which
        would hide it from whoever goes by what is on disk.
        """

        def both() -> None:
            before()
            work.write()

        error = self.do(both)
        if error is None:
            self._gaps.written(work.table)
            return
        self._gaps.failed(work.table, *work.span, reason(error))
        work.drop()

    def do(self, write: Callable[[], None]) -> Exception | None:
        """Write something; what failed is raised by the one rule, and given back by the other."""
        try:
            self.refuse_other_folder()
            write()
        except Exception as error:
            if not self.warns:
                raise _explained(error) from error
            self.warn(
                "write",
                f"{_explained(error)} Training goes on: what cannot be written is left out of the "
                "log, run.json names the gap, and writing is tried again at every flush.",
            )
            return error
        return None

    def refuse_other_folder(self) -> None:
        """Refuse to write where the run was, if its folder is gone, or another's by now.

        Raises
        ------
        LogError
            Naming it.
        """
        if self._lock is not None:
            self._lock.refuse_lost()
        if self._folder is not None and _identity(self._directory) != self._folder:
            raise LogError(
                f"cannot write {self._directory}: the folder was deleted, renamed or replaced "
                "under the run"
            ) from FileNotFoundError(2, "No such file or directory")

    def warn(self, kind: str, text: str) -> None:
        """Have a warning of some kind given once, in the thread that trains."""
        if kind not in self._told:
            self._told.add(kind)
            self._untold.append(text)

    def tell(self) -> None:
        """Give the warnings that are due."""
        while self._untold:
            warnings.warn(self._untold.pop(0), stacklevel=4)


def _explained(error: Exception) -> Exception:
    """The error with its remedy; what is no fault of writing stays as it is."""
    if isinstance(error, OSError):
        error = LogError(f"cannot write the log: {error}")
    if not isinstance(error, LogError):
        return error
    return LogError(
        f"{error}. Remedy: {remedy(error)}. A run that has a checkpoint can be resumed; with "
        "on_error='warn' training goes on without what cannot be written."
    )


def _identity(directory: Path) -> tuple[int, int] | None:
    if is_remote(directory):
        return None  # a store has no folder that could be another one
    try:
        found = os.stat(directory)
    except OSError:
        return None
    return found.st_dev, found.st_ino
