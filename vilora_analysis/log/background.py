"""Jobs done one after the other in a thread of their own; who hands over too many has to wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Background", "DroppedError"]

Job = Callable[[], None]


class DroppedError(Exception):
    """Raised by a job that must not be done again; its cause is what is told."""


class Background:
    """A thread that does jobs in their order.

    At most ``depth`` jobs wait: handing over one more blocks until there is room, and nothing is
    ever dropped. A job that fails stays the first, its error is raised by the next call from
    outside, and then it is tried again. The thread starts with the first job, and is a daemon: it
    keeps no process alive, so that whoever hands over drains before the end.

    Parameters
    ----------
    depth
        Jobs that may wait, the one in hand included; 0 starts no thread, and does each job at once.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._jobs: deque[Job] = deque()
        self._error: BaseException | None = None
        self._dropped: BaseException | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def threaded(self) -> bool:
        """Whether there is a thread."""
        return self._depth > 0

    def submit(self, job: Job) -> None:
        """Hand over a job, waiting for room; if an error is raised, it was not taken.

        Raises
        ------
        BaseException
            What an earlier job failed with; without a thread, this one.
        """
        if not self._depth:
            _at_once(job)
            return
        with self._changed:
            self._wait(lambda: len(self._jobs) < self._depth)
            self._jobs.append(job)
            self._changed.notify_all()
        self._start()

    def check(self) -> None:
        """Raise what a job failed with, if one did."""
        with self._changed:
            self._raise()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait for what the jobs bring about; raises as :meth:`check`."""
        with self._changed:
            self._wait(ready)

    def retry(self) -> None:
        """Try a job that failed once more before anybody is told."""
        with self._changed:
            self._error = None
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until everything is done; raises as :meth:`check`."""
        self.wait_until(lambda: not self._jobs)

    def stop(self) -> None:
        """End the thread once the job in hand is over; what waits is given up."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="vilora log", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is about to end
                self._thread = None
                self._work(until_empty=True)

    def _wait(self, ready: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._failed or self._stopped or ready())
        self._raise()

    @property
    def _failed(self) -> bool:
        return self._error is not None or self._dropped is not None

    def _raise(self) -> None:
        told = self._dropped or self._error
        if self._dropped is not None:
            self._dropped = None
        else:
            self._error = None  # and with that the job is tried again
        if told is not None:
            self._changed.notify_all()
            raise told

    def _work(self, until_empty: bool = False) -> None:
        while (job := self._next(until_empty)) is not None:
            error = dropped = None
            try:
                job()
            except DroppedError as drop:
                dropped = drop.__cause__
            except BaseException as failure:
                error = failure
            with self._changed:
                self._error = error
                self._dropped = self._dropped or dropped  # the first is told
                if error is None:
                    self._jobs.popleft()
                self._changed.notify_all()
            del job  # and what it holds
            if until_empty and error is not None:
                return

    def _next(self, until_empty: bool) -> Job | None:
        with self._changed:
            if not until_empty:
                self._changed.wait_for(
                    lambda: self._stopped or (bool(self._jobs) and self._error is None)
                )
            return None if self._stopped or not self._jobs else self._jobs[0]


def _at_once(job: Job) -> None:
    try:
        job()
    except DroppedError as drop:
        if drop.__cause__ is not None:
            raise drop.__cause__ from None
