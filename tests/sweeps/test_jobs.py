"""Job scripts of each batch system, and batch systems that are missing or refuse."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest

from tests.sweeps.helpers import is_gone, wait_until
from vilora_analysis.errors import ConfigError
from vilora_analysis.sweeps.cluster import ClusterOptions, open_cluster
from vilora_analysis.sweeps.jobs import job_arguments


def script(kind: Any, **options: Any) -> str:
    made = ClusterOptions(cluster=kind, queue="long", **options)
    job = getattr(importlib.import_module(f"dask_jobqueue.{kind}"), f"{kind.upper()}Job")
    text: str = job("tcp://10.0.0.1:8786", name="0", **job_arguments(made)).job_script()
    return text


ASKED: dict[str, list[str]] = {
    "slurm": [
        "#SBATCH -p long",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=15G",
        "#SBATCH -t 04:00:00",
        "#SBATCH --gres=gpu:2",
    ],
    "pbs": [
        "#PBS -q long",
        "#PBS -l select=1:ncpus=4:ngpus=2:mem=15258mb",
        "#PBS -l walltime=04:00:00",
    ],
    "sge": [
        "#$ -q long",
        "#$ -l mem_free=15258M",
        "#$ -l h_rt=04:00:00",
        "#$ -l gpu=2",
    ],
}


@pytest.mark.parametrize("kind", list(ASKED))
def test_a_job_asks_for_what_it_was_told_to(kind: str) -> None:
    text = script(kind, gpus=2)
    for line in ASKED[kind]:
        assert line in text.splitlines()
    worker = next(line for line in text.splitlines() if "dask_worker" in line)
    assert "--nthreads 2 --resources GPU=2" in worker


@pytest.mark.parametrize("kind", list(ASKED))
def test_a_job_without_gpus_asks_for_none_and_does_one_run_at_a_time(kind: str) -> None:
    text = script(kind)
    assert "gpu" not in text.lower()
    worker = next(line for line in text.splitlines() if "dask_worker" in line)
    assert worker.split().count("--nthreads") == 2
    assert worker.rpartition("--nthreads ")[2].split()[0] == "1"  # the last one counts


def test_what_the_site_says_is_kept() -> None:
    site = {
        "jobqueue.slurm.job-extra-directives": ["--exclusive"],
        "jobqueue.slurm.worker-extra-args": ["--preload x"],
        "jobqueue.slurm.account": "lab",
        "jobqueue.sge.resource-spec": "h_vmem=2G",
    }
    with dask.config.set(site):
        text = script("slurm", gpus=1)
        sge = script("sge")
    for line in ("#SBATCH --exclusive", "#SBATCH --gres=gpu:1", "#SBATCH -A lab"):
        assert line in text.splitlines()
    assert "--preload x" in text
    assert "#$ -l h_vmem=2G" in sge.splitlines()


@pytest.mark.parametrize("memory", ["much", ""])
def test_an_amount_of_memory_that_is_none_is_refused(memory: str) -> None:
    with pytest.raises(ConfigError, match="memory is an amount as 16GB; got"):
        ClusterOptions(memory=memory)


def test_a_batch_system_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with (
        pytest.raises(ConfigError, match="cluster pbs: there is no qsub here"),
        open_cluster(ClusterOptions(cluster="pbs")),
    ):
        pass


def _install(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_what_a_batch_system_says_against_the_jobs_is_passed_on(programs: Path) -> None:
    _install(programs, "sbatch", "echo 'invalid partition: long' >&2; exit 1")
    with (
        pytest.raises(ConfigError, match=r"slurm refused the jobs: .*invalid partition: long"),
        open_cluster(ClusterOptions(cluster="slurm", queue="long")),
    ):
        pass


def test_a_job_that_is_taken_becomes_a_worker(programs: Path) -> None:
    """A batch system that starts each job at once, on this machine."""
    run = f'cp "$1" {programs}/job; setsid sh {programs}/job >{programs}/log 2>&1 & echo "job $!"'
    _install(programs, "sbatch", run)
    _install(programs, "scancel", "kill -9 -- -$1")
    loopback = next(name for name in psutil.net_if_addrs() if name.startswith("lo"))
    options = ClusterOptions(cluster="slurm", gpus=1, memory="1GB", cores=1)
    with (
        dask.config.set({"jobqueue.slurm.interface": loopback}),
        open_cluster(options) as opened,
    ):
        asked = {"resources": opened.resources, "pure": False}
        pid = opened.client.submit(os.getpid, **asked).result(timeout=60)
        assert pid != os.getpid()
        assert (opened.resources, opened.threads) == ({"GPU": 1.0}, 1)
    wait_until(lambda: is_gone(pid))
