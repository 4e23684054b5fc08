"""Loaded by Dask into each worker process of our own (a preload, in Dask's words)."""

from __future__ import annotations

import signal
from typing import Any

__all__ = ["dask_setup"]


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C to the command, which takes its workers down in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
