"""Workers as jobs of a batch system, through dask-jobqueue."""

from __future__ import annotations

import shutil
from typing import Any

from vilora_analysis.errors import ConfigError, require
from vilora_analysis.sweeps.cluster import ClusterOptions

__all__ = ["job_arguments", "job_cluster"]

_COMMANDS = {"slurm": "sbatch", "sge": "qsub", "pbs": "qsub"}
_CLASSES = {"slurm": "SLURMCluster", "sge": "SGECluster", "pbs": "PBSCluster"}


def job_arguments(options: ClusterOptions) -> dict[str, Any]:
    """Arguments of dask-jobqueue's cluster classes; jobqueue.yaml of the site has the rest."""
    gpus = options.gpus or 0
    directives = {"slurm": [f"--gres=gpu:{gpus}"], "sge": [f"-l gpu={gpus}"], "pbs": []}
    # a run waits for its process only: as many at once as there are GPUs to give
    extra = ["--nthreads", str(max(1, gpus)), *(["--resources", f"GPU={gpus}"] if gpus else [])]
    return {
        "cores": options.cores,
        "memory": options.memory,
        "processes": 1,
        "queue": options.queue,
        "walltime": options.walltime,
        "job_extra_directives": [
            *(_site(options, "job-extra-directives") or []),
            *(directives[options.cluster] if gpus else []),
        ],
        "worker_extra_args": [*(_site(options, "worker-extra-args") or []), *extra],
        **_specification(options, _site(options, "resource-spec")),
    }


def _site(options: ClusterOptions, name: str) -> Any:
    """A setting of the site's jobqueue.yaml, which what we pass would otherwise replace."""
    require("dask_jobqueue", extra="sweep")  # brings its defaults
    config = require("dask", extra="sweep").config
    return config.get(f"jobqueue.{options.cluster}.{name}", None)


def _specification(options: ClusterOptions, site: str | None) -> dict[str, Any]:
    """Resources that PBS takes in one word, and SGE's memory, which has no other way."""
    if options.cluster == "slurm":
        return {}
    mebibytes = require("dask.utils", extra="sweep").parse_bytes(options.memory) // 2**20
    if options.cluster == "sge":
        return {"resource_spec": site or f"mem_free={mebibytes}M"}
    gpus = f":ngpus={options.gpus}" if options.gpus else ""
    asked = f"select=1:ncpus={options.cores}{gpus}:mem={mebibytes}mb"
    return {"resource_spec": asked if gpus else site or asked}


def job_cluster(options: ClusterOptions, log_level: int) -> Any:
    """Submit the jobs of the workers.

    Raises
    ------
    ConfigError
        If the batch system is not there, or refuses them.
    """
    command = _COMMANDS[options.cluster]
    if shutil.which(command) is None:
        raise ConfigError(
            f"cluster {options.cluster}: there is no {command} here; run it on a host "
            "that can submit jobs"
        )
    jobqueue = require("dask_jobqueue", extra="sweep")
    scheduler = _site(options, "scheduler-options") or {}
    cluster = getattr(jobqueue, _CLASSES[options.cluster])(
        # a port that is free: nobody looks at the dashboard
        scheduler_options={"dashboard": False, "dashboard_address": ":0", **scheduler},
        silence_logs=log_level,
        **job_arguments(options),
    )
    try:
        _submit(cluster, options.workers or 1)
    except BaseException as error:
        _give_up(cluster)
        if not isinstance(error, RuntimeError | OSError):
            raise
        said = " ".join(str(error).split())
        raise ConfigError(f"cluster {options.cluster} refused the jobs: {said}") from None
    return cluster


def _submit(cluster: Any, jobs: int) -> None:
    """Submit, and wait until that is done; ``scale`` would not wait, and would only log errors."""
    for _ in range(jobs):
        cluster.worker_spec.update(cluster.new_worker_spec())
    cluster.sync(cluster._correct_state)


def _give_up(cluster: Any) -> None:
    """Close a cluster whose jobs were refused, as Dask does not expect them to be."""
    failed = require("distributed", extra="sweep").Status.failed
    for job in cluster.workers.values():
        if job.job_id is None:
            job.status = failed
    cluster.close()
