"""A sound log for every test that damages one, and what is in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.damage import TABLES, Truth, rows_by_part, write_log


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("damage") / "source")


@pytest.fixture(scope="module")
def truth(source: Path) -> Truth:
    return {table: rows_by_part(source, table) for table in TABLES}


@pytest.fixture
def run(source: Path, tmp_path: Path) -> Path:
    return shutil.copytree(source, tmp_path / "run")
