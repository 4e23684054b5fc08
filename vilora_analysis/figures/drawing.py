"""A second process that draws figures while this one asks audits."""

from __future__ import annotations

import io
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pickle import PicklingError
from threading import RLock
from typing import Any, Generic, TypeVar

from vilora_analysis.cores import available_cores
from vilora_analysis.figures.style import StyledFigure

__all__ = ["Pending", "begin_here_or_there", "drawing_process"]

T = TypeVar("T")


@contextmanager
def drawing_process() -> Iterator[Executor | None]:
    """Give who draws beside this process; None where that is no help.

    It is forked, so it has all that is imported, and starts at once: enter this before anything is
    read, as readers start threads that a fork would lose. Elsewhere than on Linux, or with a single
    processor, figures are drawn by this process.
    """
    if sys.platform != "linux" or available_cores() < 2:
        yield None
        return
    import scipy.stats  # noqa: F401  # what both need and takes longest is imported once

    forked = get_context("fork")
    with ProcessPoolExecutor(1, mp_context=forked, initializer=_unheard) as executor:
        one_by_one = _OneByOne(executor)
        with warnings.catch_warnings():  # of threads that wait, as those of linear algebra do
            warnings.simplefilter("ignore", DeprecationWarning)
            one_by_one.submit(_warm_up)
        try:
            yield one_by_one
        finally:
            executor.shutdown(cancel_futures=True)


class _OneByOne(Executor):
    """Hands a task over when the one before is done, so that what waits can be called off.

    A process pool itself takes one task more than it works at, and does not give that back.
    """

    def __init__(self, process: Executor) -> None:
        self._process = process
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._busy, self._lock = False, RLock()  # a task may be done while it is handed over

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._waiting.append((future, partial(fn, *args, **kwargs)))
        self._hand_over()
        return future

    def _hand_over(self) -> None:
        with self._lock:
            while self._waiting and not self._busy:
                future, task = self._waiting.popleft()
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    given = self._process.submit(task)
                except (BrokenExecutor, RuntimeError) as error:  # it died, or was told to end
                    future.set_exception(BrokenExecutor(str(error)))
                    continue
                self._busy = True
                given.add_done_callback(partial(self._done, future))

    def _done(self, future: Future[Any], given: Future[Any]) -> None:
        try:
            future.set_result(given.result())
        except CancelledError:
            future.set_exception(BrokenExecutor("the process was told to end"))
        except Exception as error:
            future.set_exception(error)
        self._busy = False
        self._hand_over()


def _unheard() -> None:
    """An interrupt is for the process that was started: it ends this one, without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _warm_up() -> None:
    """Load what the first figure would: the process waits for that one anyway."""
    import seaborn  # noqa: F401

    figure = StyledFigure(figsize=(1, 1))
    figure.add_subplot().set_title("$x_1$")
    for kind in ("png", "pdf"):
        figure.savefig(io.BytesIO(), format=kind)


class Pending(Generic[T]):
    """What may still be on its way.

    Parameters
    ----------
    here
        Makes it in this process.
    there
        What another process was asked to make, if one was.
    """

    def __init__(self, here: Callable[[], T], there: Future[T] | None) -> None:
        self._here, self._there = here, there

    def lend_a_hand(self) -> None:
        """Make it now, if the other process has not begun to."""
        if self._there is not None and self._there.cancel():
            made, self._there = self._here(), None
            self._here = lambda: made

    def __call__(self) -> T:
        """What was made; here, if the task could not be sent or the other process ended."""
        if self._there is None:
            return self._here()
        try:
            return self._there.result()
        except (PicklingError, AttributeError, TypeError, BrokenExecutor):
            return self._here()


def begin_here_or_there(make: Callable[[], T], executor: Executor | None) -> Pending[T]:
    """Have something made by another process if there is one, else when it is asked for."""
    return Pending(make, None if executor is None else executor.submit(make))
