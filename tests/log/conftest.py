"""What several tests read and none changes; and an object store for those that ask one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.log.object_store import Store, serving
from tests.log.stored_runs import WRITTEN
from tests.log.synthetic import Written, write_run
from vilora_analysis.log import Run, open_run

STEPS = (5, 10, 15, 20, 25, 30, 35)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Seven steps in three parts."""
    return write_run(
        tmp_path_factory.mktemp("read") / "run", steps=STEPS, every=5, flush_after=(10, 25)
    )


@pytest.fixture(scope="module")
def run(written: Written) -> Run:
    return open_run(written.path)


@pytest.fixture(scope="package")
def server() -> Iterator[Store]:
    """One for all, of which each test takes ``store``."""
    with serving() as store:
        yield store


@pytest.fixture
def store(server: Store) -> Iterator[Store]:
    """An object store that neither refuses nor breaks off yet."""
    server.calm()
    yield server
    server.calm()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries in place of five."""
    import s3fs

    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 2)


@pytest.fixture(scope="package")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on disk that those in the store are held to."""
    return write_run(tmp_path_factory.mktemp("here") / "sst2", **WRITTEN).path
