"""Loaded by every Dask worker of the tests: its runs are those of the fake child."""

from __future__ import annotations

from typing import Any

from tests.sweeps.helpers import fake_command
from vilora_analysis.sweeps import execute


def dask_setup(worker: Any) -> None:
    execute._command = fake_command
