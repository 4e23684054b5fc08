"""Workers of this machine, and what is said when there are none to be had."""

from __future__ import annotations

import logging
import os
import re
from typing import Any

import pytest

from vilora_analysis import scheduler
from vilora_analysis.errors import ConfigError, MissingExtraError
from vilora_analysis.sweeps import cluster as room
from vilora_analysis.sweeps.cluster import Cluster, ClusterOptions, open_cluster


def environment_of_a_worker(dask_worker: Any) -> tuple[str | None, dict[str, float]]:
    return os.environ.get("CUDA_VISIBLE_DEVICES"), dict(dask_worker.state.total_resources)


def test_workers_are_processes_with_one_thread_each(cluster: Cluster) -> None:
    workers = cluster.client.scheduler_info(n_workers=-1)["workers"].values()
    assert [worker["nthreads"] for worker in workers] == [1, 1]
    assert all(worker["memory_limit"] == 0 for worker in workers)
    pids = set(cluster.client.run(os.getpid).values())
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_without_gpus_runs_see_none_and_ask_for_none(cluster: Cluster) -> None:
    seen = cluster.client.run(environment_of_a_worker)
    assert list(seen.values()) == [("", {}), ("", {})]
    assert cluster.resources == {}


def test_each_worker_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with open_cluster(ClusterOptions()) as opened:
        seen = opened.client.run(environment_of_a_worker)
        assert sorted(seen.values(), key=str) == [("3", {"GPU": 1}), ("5", {"GPU": 1})]
        assert opened.resources == {"GPU": 1.0}
        future = opened.client.submit(os.getpid, resources=opened.resources, pure=False)
        assert future.result(timeout=60) > 0


def test_more_gpus_than_there_are_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with (
        pytest.raises(ConfigError, match="gpus = 4, but 2 can be seen"),
        open_cluster(ClusterOptions(gpus=4)),
    ):
        pass


def test_processors_are_shared_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [room._threads(workers, 4) for workers in (1, 3, 20, None)] == [8, 2, 1, 4]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert room._threads(3, 4) == 5


MISTAKES: dict[str, dict[str, Any]] = {
    "workers = 0: must be at least 1": {"workers": 0},
    "gpus = -1: must be at least 0": {"gpus": -1},
    "scheduler and cluster exclude each other": {"scheduler": "a:1", "cluster": "slurm"},
    "queue is for a batch system": {"queue": "long"},
    "scheduler is an address as tcp://host:8786; got 'here'": {"scheduler": "here"},
    "got 'tcp://here'": {"scheduler": "tcp://here"},
    "got ''": {"scheduler": ""},
}


@pytest.mark.parametrize("said", list(MISTAKES))
def test_options_that_make_no_sense_are_refused(said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        ClusterOptions(**MISTAKES[said])


@pytest.mark.parametrize("address", ["localhost:8786", "tcp://10.0.0.1:8786", "tls://[::1]:80/"])
def test_addresses_as_dask_writes_them_are_taken(address: str) -> None:
    assert ClusterOptions(scheduler=address).scheduler == address


def test_a_scheduler_that_does_not_answer_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scheduler, "CONNECT_SECONDS", 0.5)
    with (
        pytest.raises(ConfigError, match=r"no scheduler answers at tcp://127\.0\.0\.1:1 within"),
        open_cluster(ClusterOptions(scheduler="tcp://127.0.0.1:1")),
    ):
        pass
    assert capfd.readouterr().err == ""


def test_a_running_scheduler_is_used_and_left_running(cluster: Cluster) -> None:
    address = cluster.client.scheduler.address
    with open_cluster(ClusterOptions(scheduler=address)) as other:
        assert other.client.submit(os.getpid, pure=False).result(timeout=60) > 0
        assert (other.threads, other.resources) == (None, {})
    assert cluster.client.submit(os.getpid, pure=False).result(timeout=60) > 0


def test_gpus_that_no_worker_of_a_scheduler_has_are_not_waited_for(cluster: Cluster) -> None:
    options = ClusterOptions(scheduler=cluster.client.scheduler.address, gpus=1)
    with pytest.raises(ConfigError, match="has the resource GPU"), open_cluster(options):
        pass


def test_dasks_log_is_as_before_afterwards(cluster: Cluster) -> None:
    levels = [handler.level for handler in logging.getLogger("distributed").handlers]
    with open_cluster(ClusterOptions(scheduler=cluster.client.scheduler.address)):
        pass
    assert [handler.level for handler in logging.getLogger("distributed").handlers] == levels


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingExtraError, match=r'pip install "vilora-analysis\[sweep\]"'),
        open_cluster(ClusterOptions()),
    ):
        pass


def test_a_local_run_gets_the_processors_and_not_dasks_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dask sets the environment of the process that starts its workers to one thread."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(room, "available_cores", lambda: 6)
    with open_cluster(ClusterOptions(workers=2, gpus=0)) as cluster:
        assert cluster.threads == 3
