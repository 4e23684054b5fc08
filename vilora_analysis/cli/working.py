"""Where a command's analyses are computed: here, or by the workers that ``--scheduler`` names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["working"]


@contextmanager
def working(scheduler: str | None, *, at_once: bool = True) -> Iterator[None]:
    """Let the workers of a scheduler compute what is asked of logs; this process if None.

    Parameters
    ----------
    scheduler, at_once
        As of :func:`vilora_analysis.analysis.on_scheduler`.

    Raises
    ------
    ConfigError
        If no scheduler or worker answers there.
    MissingExtraError
        If Dask is not installed.
    """
    if scheduler is None:
        yield
        return
    from vilora_analysis.analysis import on_scheduler

    with on_scheduler(scheduler, at_once=at_once):
        yield
