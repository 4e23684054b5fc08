"""Stretches of a run computed by Dask workers: what travels, and what can go wrong on the way.

A worker is told once which run, columns and computation are meant, and then one stretch of parts
after the other. A task of a worker that died is given to another one, and gives the same.
"""

from __future__ import annotations

import platform
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import scipy

import vilora_analysis
from vilora_analysis.errors import EngineError, LogError, ViloraError, require
from vilora_analysis.log import Run, open_run
from vilora_analysis.log.places import is_remote
from vilora_analysis.log.ranges import Stretch, stretch_blocks, stretches
from vilora_analysis.log.reader import Steps

__all__ = ["VALUES_A_TASK", "Workers", "compute_on", "refuse_unlike", "rows_a_task"]

VALUES_A_TASK = 2**23
"""Values that a task reads at most, unless a row group has more."""
_TASKS_A_THREAD = 8
_IN_FLIGHT = 3
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Workers:
    """Workers of a Dask scheduler.

    Attributes
    ----------
    client
        Connected client.
    """

    client: Any

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return str(self.client.scheduler.address)

    @property
    def threads(self) -> int:
        """Threads of all workers that are there now; 0 if there are none."""
        known = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return sum(worker["nthreads"] for worker in known)


@dataclass(frozen=True)
class _Job:
    """What each task of a computation has in common."""

    path: Path
    run_id: str
    columns: list[str]
    compute: Callable[..., Any]
    join: Callable[..., Any] | None
    versions: dict[str, str]


def compute_on(
    workers: Workers,
    run: Run,
    columns: list[str],
    steps: Steps,
    compute: Callable[..., Any],
    join: Callable[..., Any] | None,
) -> Iterator[Any]:
    """Do what ``map_blocks`` says on workers; a few tasks for each of their threads are under way.

    Raises
    ------
    LogError
        As :meth:`Run.blocks`.
    EngineError
        If the workers are lost, see another run, or are of another version.
    """
    job = _Job(_anywhere(run), run.manifest.run_id, columns, compute, join, versions())
    threads = max(1, workers.threads)
    with _explained(workers):
        # a task of its own, not an argument of all: sent once to each worker
        told = workers.client.submit(_told, job, pure=False)
    due: deque[Any] = deque()
    try:
        for stretch in stretches(run, steps, rows_a_task(run, len(columns), threads)):
            due.append(workers.client.submit(_compute, told, stretch, pure=False))
            if len(due) > _IN_FLIGHT * threads:
                yield from _result(workers, due.popleft())
        while due:
            yield from _result(workers, due.popleft())
    finally:
        workers.client.cancel([*due])


def rows_a_task(run: Run, columns: int, threads: int) -> int:
    """Rows of a task: enough to be worth one, and few enough that every thread has several."""
    most = VALUES_A_TASK // max(1, columns)
    whole = len(run.steps) * run.manifest.n_triplets
    return max(1, min(most, whole // (_TASKS_A_THREAD * threads)))


def _anywhere(run: Run) -> Path:
    """Where a run is, also for a process in another folder."""
    return run.path if is_remote(run.path) else run.path.absolute()


def versions() -> dict[str, str]:
    """What the last bit of a result may depend on."""
    return {
        "vilora-analysis": vilora_analysis.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def _told(job: _Job) -> _Job:
    return job


def _compute(job: _Job, stretch: Stretch) -> list[Any]:
    """What a worker does."""
    _compare(_here(), versions(), job.versions)  # of a worker that came later
    run = _seen(job)
    try:
        found = [job.compute(block) for block in stretch_blocks(run, stretch, job.columns)]
        return [reduce(job.join, found)] if job.join and found else found
    except ViloraError:
        raise
    except Exception as error:
        raise EngineError(
            f"{_here()} failed at {_said(stretch)} of {job.path}: {type(error).__name__}: {error}"
        ) from None


def refuse_unlike(workers: Workers) -> None:
    """Refuse workers of other versions; a task that one cannot even read would end it.

    Raises
    ------
    EngineError
        Naming the first worker, and what it has or lacks.
    """
    expected = versions()
    for address, own in workers.client.run(versions, on_error="return").items():
        if isinstance(own, Exception):
            raise EngineError(
                f"worker {address} cannot load this package ({own}); start the workers from the "
                "environment of this process"
            )
        _compare(f"worker {address}", own, expected)


def _compare(worker: str, own: dict[str, str], expected: dict[str, str]) -> None:
    for name, version in expected.items():
        if own.get(name) != version:
            raise EngineError(
                f"{worker} has {name} {own.get(name)}, this process {version}; the same results "
                "need the same versions: start the workers from one environment"
            )


def _seen(job: _Job) -> Run:
    try:
        run = open_run(job.path)
    except LogError as error:
        raise EngineError(
            f"{_here()} cannot see {job.path} ({error}); runs have to lie under one path that all "
            "workers see, as on a shared file system or in object storage"
        ) from None
    if run.manifest.run_id != job.run_id:
        raise EngineError(f"{_here()} sees another run than this process at {job.path}")
    return run


def _here() -> str:
    worker = require("distributed", extra="sweep").get_worker()
    return f"worker {worker.address} on {platform.node()}"


def _said(stretch: Stretch) -> str:
    return f"steps {stretch.parts[0].first} to {stretch.parts[-1].last}"


def _result(workers: Workers, future: Any) -> list[Any]:
    """Wait for a task, as long as there is anyone to carry it out."""
    with _explained(workers):
        while True:
            try:
                found: list[Any] = future.result(timeout=_PATIENCE_SECONDS)
                return found
            except TimeoutError:
                if not workers.threads:
                    raise EngineError(
                        f"no worker of {workers.address} has been left for some time; start others "
                        "with: dask worker, and run the same again"
                    ) from None


@contextmanager
def _explained(workers: Workers) -> Iterator[None]:
    """Say in words what becomes of a task that a worker did not bring to its end."""
    killed = require("distributed", extra="sweep").KilledWorker
    try:
        yield
    except ViloraError:
        raise
    except killed as error:
        raise EngineError(
            f"workers of {workers.address} died one after the other at the same task, lastly "
            f"{error.last_worker.address}: out of memory? Give them more, or start fewer on a host"
        ) from None
    except (CancelledError, OSError) as error:
        raise EngineError(
            f"lost the scheduler {workers.address} ({type(error).__name__}); run the same again "
            "when it is back"
        ) from None
    except Exception as error:  # what was computed, or is to be, cannot travel
        raise EngineError(
            f"a task failed on the way to or from {workers.address}: {type(error).__name__}: "
            f"{error}"
        ) from None
