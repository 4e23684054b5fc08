"""One run in several processes, as ``torchrun`` and ``accelerate launch`` start them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from vilora_analysis.errors import ConfigError
from vilora_analysis.recording.attach import is_main

__all__ = ["device", "is_main", "mean", "process_group", "share", "synchronized", "wait"]


@contextmanager
def process_group() -> Iterator[None]:
    """Join the other processes of this run, if there are any; leave them at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or distributed.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
        wait()  # the first one writes; until then nobody reads
    finally:
        distributed.destroy_process_group()


def wait() -> None:
    """Wait until all processes are here."""
    if distributed.is_initialized():
        distributed.barrier()


def device() -> torch.device:
    """Where this process computes."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def share(rows: np.ndarray) -> np.ndarray:
    """Rows of a global batch that are this process's.

    Raises
    ------
    ConfigError
        If the batch cannot be shared out evenly, so that the mean of means would not be the mean.
    """
    if not distributed.is_initialized():
        return rows
    processes = distributed.get_world_size()
    if len(rows) % processes:
        raise ConfigError(
            f"batch_size {len(rows)} cannot be shared evenly by {processes} processes"
        )
    return rows[distributed.get_rank() :: processes]


def mean(loss: torch.Tensor) -> float:
    """Mean of a number over the processes."""
    if distributed.is_initialized():
        distributed.all_reduce(loss)
        loss = loss / distributed.get_world_size()
    return float(loss)  # once a step: it waits for the device


def synchronized(model: Any) -> Any:
    """Model whose gradients are averaged over the processes."""
    if not distributed.is_initialized():
        return model
    return DistributedDataParallel(model)
