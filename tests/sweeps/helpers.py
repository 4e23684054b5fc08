"""Cells, and the fake child that carries them out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from vilora_analysis.sweeps.grid import Grid, expand

ROOT = Path(__file__).parents[2]


def fake_command() -> list[str]:
    os.environ["PYTHONPATH"] = str(ROOT)
    return [sys.executable, "-m", "tests.sweeps.fake_child"]


def grid_of(root: Path, *seeds: int, **raw: Any) -> Grid:
    """A grid of the embedded task with these seeds, whose runs go below a folder."""
    return expand({"out": "runs", "grid": {"seed": list(seeds)}, **raw}, "my.toml", root)


def run_of(root: Path, seed: int) -> Path:
    return grid_of(root, seed).cells[0].path


def lines(run: Path, name: str) -> list[str]:
    path = run / name
    return path.read_text().splitlines() if path.exists() else []


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that is bound to happen, and give up rather than hang."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
