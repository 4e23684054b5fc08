"""One cluster of two workers for all, whose runs are those of the fake child."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import distributed  # noqa: F401 - puts its settings where ours are set, and taken back
import pytest

from vilora_analysis.sweeps.cluster import Cluster, ClusterOptions, open_cluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    with (
        dask.config.set({"distributed.worker.preload": ["tests.sweeps.preload"]}),
        open_cluster(ClusterOptions(workers=2, gpus=0)) as opened,
    ):
        yield opened
