"""Which GPUs there are, and one for each run."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from queue import SimpleQueue

__all__ = ["one_device", "visible_gpus"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_once = threading.Lock()


def visible_gpus() -> list[str]:
    """Ids of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES writes them."""
    told = os.environ.get(_VISIBLE)
    if told is not None:
        ids = [word.strip() for word in told.split(",") if word.strip()]
        return [] if ids[:1] == ["-1"] else ids
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split()


@contextmanager
def one_device() -> Iterator[Mapping[str, str]]:
    """Environment of a run that has one of this worker's GPUs to itself, while the run lasts.

    Where there are none the environment says nothing.
    """
    with _once:
        free = _free_devices()
    if free is None:
        yield {}
        return
    device = free.get()
    try:
        yield {_VISIBLE: device}
    finally:
        free.put(device)


@cache
def _free_devices() -> SimpleQueue[str] | None:
    devices = visible_gpus()
    if not devices:
        return None
    free: SimpleQueue[str] = SimpleQueue()
    for device in devices:
        free.put(device)
    return free
