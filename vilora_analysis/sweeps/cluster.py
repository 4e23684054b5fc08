"""Where the runs of a sweep go: workers on this machine, a running scheduler, or a batch system."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from vilora_analysis import scheduler as dask_scheduler
from vilora_analysis.cores import available_cores
from vilora_analysis.errors import ConfigError, require
from vilora_analysis.sweeps.devices import visible_gpus

__all__ = ["Cluster", "ClusterOptions", "open_cluster"]

_ADDRESS = re.compile(r"(\w+://)?(\[[\da-fA-F:]+\]|[\w.-]+):\d{1,5}/?")
_MEMORY = re.compile(r"\d+(\.\d+)? ?[kMGT]i?B", re.IGNORECASE)


@dataclass(frozen=True)
class ClusterOptions:
    """Where and how widely to run."""

    workers: int | None = None
    """Runs at once, or jobs of a batch system; by default one for each GPU, or one."""
    scheduler: str | None = None
    """Address of a running Dask scheduler, as tcp://host:8786, in place of workers of our own."""
    cluster: Literal["local", "slurm", "sge", "pbs"] = "local"
    """Who starts the workers: this machine, or a batch system (its site's settings, such as the
    account, are in dask-jobqueue's jobqueue.yaml)."""
    queue: str | None = None
    """Queue or partition of a batch system."""
    gpus: int | None = None
    """GPUs of this machine, by default all; of each job of a batch system, by default none."""
    memory: str = "16GB"
    """Memory of each job."""
    walltime: str = "04:00:00"
    """Time of each job."""
    cores: int = 4
    """Processors of each job."""

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("gpus", 0), ("cores", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} = {value}: must be at least {least}")
        if not _MEMORY.fullmatch(self.memory):
            raise ConfigError(f"memory is an amount as 16GB; got {self.memory!r}")
        if self.scheduler is not None and self.cluster != "local":
            raise ConfigError("scheduler and cluster exclude each other; leave one out")
        if self.queue is not None and self.cluster == "local":
            raise ConfigError("queue is for a batch system; give cluster too: slurm, sge or pbs")
        if self.scheduler is not None and not _ADDRESS.fullmatch(self.scheduler):
            raise ConfigError(f"scheduler is an address as tcp://host:8786; got {self.scheduler!r}")


@dataclass(frozen=True)
class Cluster:
    """A client, and how its runs are submitted.

    Attributes
    ----------
    client
        Connected client of the scheduler.
    resources
        Of each run, as Dask counts them.
    threads
        Of each run's arithmetic; None leaves what its worker has.
    """

    client: Any
    resources: Mapping[str, float]
    threads: int | None


@contextmanager
def open_cluster(options: ClusterOptions) -> Iterator[Cluster]:
    """Connect to the workers, and take down those of our own at the end.

    Raises
    ------
    ConfigError
        If a scheduler cannot be reached, a batch system is not there, or GPUs are missing.
    MissingExtraError
        If Dask is not installed.
    """
    from vilora_analysis.sweeps.jobs import job_cluster

    distributed = require("distributed", extra="sweep")
    with distributed.utils.silence_logging_cmgr(dask_scheduler.QUIET):
        if options.scheduler is not None:
            with dask_scheduler.connected(options.scheduler) as client:
                yield Cluster(client, _checked_resources(client, options), None)
            return
        local = options.cluster == "local"
        # before anything starts: Dask sets the environment of this process to one thread
        threads = _threads(_local_workers(options) if local else None, options.cores)
        start = (
            _local_cluster(distributed, options)
            if local
            else job_cluster(options, dask_scheduler.QUIET)
        )
        with start as cluster, distributed.Client(cluster, set_as_default=False) as client:
            gpus = len(_local_gpus(options)) if local else options.gpus
            yield Cluster(client, {"GPU": 1.0} if gpus else {}, threads)


def _checked_resources(client: Any, options: ClusterOptions) -> dict[str, float]:
    """Ask for a GPU only where a worker has one to give: otherwise the runs would wait forever."""
    if not options.gpus:
        return {}
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if workers and not any("GPU" in worker["resources"] for worker in workers):
        raise ConfigError(
            f"no worker of {options.scheduler} has the resource GPU; start them with: "
            "dask worker --resources GPU=1, or leave gpus out"
        )
    return {"GPU": 1.0}


def _local_gpus(options: ClusterOptions) -> list[str]:
    found = visible_gpus()
    if options.gpus is None:
        return found
    if options.gpus > len(found):
        raise ConfigError(f"gpus = {options.gpus}, but {len(found)} can be seen on this machine")
    return found[: options.gpus]


def _local_workers(options: ClusterOptions) -> int:
    return options.workers or max(1, len(_local_gpus(options)))


def _threads(workers: int | None, cores: int) -> int:
    """Threads of one run: what the environment says, or an even share of the processors."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told):
        return int(told)
    return cores if workers is None else max(1, available_cores() // workers)


def _local_cluster(distributed: Any, options: ClusterOptions) -> Any:
    """One process for each worker, restarted if it dies; each sees one GPU at most."""
    gpus = _local_gpus(options)
    if options.gpus == 0:
        gpus = [""]
    preload = require("dask", extra="sweep").config.get("distributed.worker.preload")
    workers = {
        number: {
            "cls": distributed.Nanny,
            "options": {
                "nthreads": 1,
                "memory_limit": 0,  # the runs are processes of their own, which Dask cannot see
                "dashboard": False,
                "dashboard_address": None,
                "silence_logs": dask_scheduler.QUIET,
                "preload": [*preload, "vilora_analysis.sweeps.worker"],
                "resources": {"GPU": 1} if gpus and gpus != [""] else {},
                "env": {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {},
            },
        }
        for number in range(_local_workers(options))
    }
    scheduler = {
        "cls": distributed.Scheduler,
        "options": {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }
    return distributed.SpecCluster(
        workers, scheduler, name="vilora", silence_logs=dask_scheduler.QUIET
    )
