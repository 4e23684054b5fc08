"""A run that several tests read and none changes."""

from __future__ import annotations

import pytest

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
