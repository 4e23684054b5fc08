"""Where blocks of a log are computed: threads of this process, or workers of a Dask scheduler.

The blocks are the same either way, each is computed by itself, and results are taken in the order
of the steps. So a result does not depend on where it was computed, to the last bit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

from vilora_analysis import scheduler as dask_scheduler
from vilora_analysis.analysis.in_order import in_order
from vilora_analysis.analysis.on_workers import Workers, compute_on, refuse_unlike
from vilora_analysis.errors import ConfigError, require
from vilora_analysis.log import Run, StepBlock
from vilora_analysis.log.reader import Steps
from vilora_analysis.naming import score_column

__all__ = ["map_blocks", "on_scheduler"]

_R = TypeVar("_R")
_ADDRESS = re.compile(r"(?!local:)(\w+://)?(\[[\da-fA-F:]+\]|[\w.-]+):\d{1,5}/?")
_LOCAL = re.compile(r"local:([1-9]\d*)")

_in_use: ContextVar[Callable[[], Workers] | None] = ContextVar("workers", default=None)


def map_blocks(
    run: Run,
    columns: Sequence[str],
    steps: Steps,
    compute: Callable[[StepBlock], _R],
    join: Callable[[_R, _R], _R] | None = None,
) -> Iterator[_R]:
    """Compute something of every block of a run, in order, wherever that is done now.

    Here a few threads compute while one reads, so that memory does not grow with the run. On a
    scheduler (:func:`on_scheduler`) a worker opens the run, reads some neighbouring parts itself,
    and sends back what was computed of them: no column travels.

    Parameters
    ----------
    run, columns, steps
        As of :meth:`Run.blocks`.
    compute
        A function at the top of a module, or a ``functools.partial`` of one: it travels to the
        workers. What it gives should be small beside the block.
    join
        Makes one result of those of two neighbouring stretches of steps; a worker then sends one
        for all that it reads at once. Where stretches end is left open, so it has to be associative
        to the last bit, as counts, maxima and lists are, and sums of rounded numbers are not.

    Yields
    ------
    object
        Result of a block; with ``join``, of some neighbouring ones.

    Raises
    ------
    LogError
        As :meth:`Run.blocks`.
    EngineError
        If the workers are lost, see another run, or are of another version.
    """
    opened, names = _in_use.get(), [*map(score_column, columns)]
    if opened is None:
        return in_order(compute, run.blocks(names, steps))
    return compute_on(opened(), run, names, steps, compute, join)


@contextmanager
def on_scheduler(scheduler: Any, *, at_once: bool = True) -> Iterator[None]:
    """Let workers compute what is asked of logs within a ``with`` statement.

    Parameters
    ----------
    scheduler
        Address of a running Dask scheduler, as ``tcp://host:8786``; ``local:4`` for four worker
        processes of this machine, which end with the statement; or a connected
        ``distributed.Client``, which stays open.
    at_once
        Connect now; otherwise when a worker is first needed, so that this process can be forked
        before.

    Raises
    ------
    ConfigError
        If that is no address, or no scheduler or worker answers there.
    EngineError
        If a worker has other versions than this process.
    MissingExtraError
        If Dask is not installed.

    Notes
    -----
    Workers need this package in the same version, and the runs under the same path: on a file
    system that all of them see, or in object storage.

    Examples
    --------
    >>> from vilora_analysis import analysis, open_run
    >>> with analysis.on_scheduler("tcp://head-node:8786"):      # doctest: +SKIP
    ...     frame = analysis.correlations(open_run("/shared/runs/sst2"))
    """
    distributed = require("distributed", extra="sweep")
    with ExitStack() as stack:
        stack.enter_context(distributed.utils.silence_logging_cmgr(dask_scheduler.QUIET))
        opened = cache(lambda: stack.enter_context(_opened(distributed, scheduler)))
        if at_once:
            opened()
        before = _in_use.set(opened)
        try:
            yield
        finally:
            _in_use.reset(before)


@contextmanager
def _opened(distributed: Any, scheduler: Any) -> Iterator[Workers]:
    if isinstance(scheduler, distributed.Client):
        yield _with_workers(scheduler)
    elif isinstance(scheduler, str) and (own := _LOCAL.fullmatch(scheduler)):
        with (
            _local_cluster(distributed, int(own[1])) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield _with_workers(client)
    elif isinstance(scheduler, str) and _ADDRESS.fullmatch(scheduler):
        with dask_scheduler.connected(scheduler) as client:
            yield _with_workers(client)
    else:
        raise ConfigError(
            "scheduler is an address as tcp://host:8786, or local:N for N processes of this "
            f"machine; got {scheduler!r}"
        )


def _with_workers(client: Any) -> Workers:
    try:
        client.wait_for_workers(1, timeout=dask_scheduler.CONNECT_SECONDS)
    except TimeoutError:
        raise ConfigError(
            f"{client.scheduler.address} has no workers; start some with: dask worker "
            f"{client.scheduler.address}"
        ) from None
    workers = Workers(client)
    refuse_unlike(workers)
    return workers


def _local_cluster(distributed: Any, count: int) -> Any:
    """Processes of one thread each: blocks are small, and what Python does beside holds a lock."""
    quiet = {"dashboard": False, "dashboard_address": None}
    worker = {"nthreads": 1, "memory_limit": 0, "silence_logs": dask_scheduler.QUIET, **quiet}
    scheduler = {"host": "127.0.0.1", **quiet, "dashboard_address": "127.0.0.1:0"}
    return distributed.SpecCluster(
        {number: {"cls": distributed.Nanny, "options": worker} for number in range(count)},
        {"cls": distributed.Scheduler, "options": scheduler},
        name="vilora-analysis",
        silence_logs=dask_scheduler.QUIET,
    )
