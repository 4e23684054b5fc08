"""A second process that draws figures while this one asks audits."""

from __future__ import annotations

import io
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pickle import PicklingError
from typing import Generic, TypeVar

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
        with warnings.catch_warnings():  # of threads that wait, as those of linear algebra do
            warnings.simplefilter("ignore", DeprecationWarning)
            executor.submit(_warm_up)
        try:
            yield executor
        finally:
            executor.shutdown(cancel_futures=True)


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
