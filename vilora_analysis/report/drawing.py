"""A second process that draws figures while this one asks audits."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

__all__ = ["drawing_process"]


@contextmanager
def drawing_process() -> Iterator[Executor | None]:
    """Give who draws beside this process; None where that is no help.

    It is forked, so it has all that is imported, and starts at once: enter this before anything is
    read, as readers start threads that a fork would lose. Elsewhere than on Linux, or with a single
    processor, figures are drawn by this process.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        yield None
        return
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as executor:
        with warnings.catch_warnings():  # of threads that wait, as those of linear algebra do
            warnings.simplefilter("ignore", DeprecationWarning)
            executor.submit(os.getpid).result()
        try:
            yield executor
        finally:
            executor.shutdown(cancel_futures=True)
