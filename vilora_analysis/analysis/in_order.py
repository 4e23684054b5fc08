"""Computing on several cores while reading goes on, with results in the order of what was read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from vilora_analysis.cores import available_cores

__all__ = ["in_order"]

_MOST_THREADS = 8
_T = TypeVar("_T")
_R = TypeVar("_R")


def in_order(compute: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """Apply a function to items by threads; numpy lets go of the interpreter while it sorts.

    Items are taken as results are, one ahead of the threads, so that memory stays bounded.

    Parameters
    ----------
    compute
        What to do with an item.
    items
        Taken one after the other, in the calling thread.
    """
    remaining = iter(items)
    first = list(islice(remaining, 2))
    if len(first) < 2:
        yield from map(compute, first)  # not worth a thread
        return
    threads = min(available_cores(), _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        due: deque[Future[_R]] = deque()
        try:
            for item in chain(first, remaining):
                due.append(pool.submit(compute, item))
                if len(due) > threads:
                    yield due.popleft().result()
            while due:
                yield due.popleft().result()
        finally:
            for future in due:
                future.cancel()
