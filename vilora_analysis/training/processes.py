"""One run in several processes, as ``torchrun`` and ``accelerate launch`` start them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from vilora_analysis.errors import ConfigError, EngineError, ViloraError
from vilora_analysis.log.state import run_state
from vilora_analysis.recording.attach import is_main

__all__ = [
    "device",
    "gathered",
    "is_main",
    "mean",
    "process_group",
    "rank_and_count",
    "share",
    "synchronized",
    "wait",
]

_WAIT = "VILORA_WAIT_SECONDS"
_WAIT_DEFAULT = 600.0  # far above what the first process does alone: a checkpoint, a Fisher


@contextmanager
def process_group(directory: Path) -> Iterator[None]:
    """Join the other processes of this run, if there are any; leave them at the end.

    Of a process that dies the others hear at their next exchange. For one that neither dies nor
    answers they wait ten minutes, or as many seconds as ``VILORA_WAIT_SECONDS`` says.

    Parameters
    ----------
    directory
        Run directory, of which an error says what is on disk.

    Raises
    ------
    EngineError
        If the others are lost.
    ConfigError
        If ``VILORA_WAIT_SECONDS`` is no number of seconds.
    """
    joined = distributed.is_initialized()
    if not joined and int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    try:
        if not joined:
            _join()
        yield
        wait()  # the first one writes; until then nobody reads
    except (RuntimeError, KeyboardInterrupt) as error:
        first = _failed_exchange(error)
        if first is None:
            raise
        raise EngineError(_lost(first, directory)) from error
    finally:
        if not joined and distributed.is_initialized():
            distributed.destroy_process_group()


def _join() -> None:
    seconds = timedelta(seconds=_wait_seconds())
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=seconds)


def _wait_seconds() -> float:
    given = os.environ.get(_WAIT) or str(_WAIT_DEFAULT)
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise ConfigError(f"{_WAIT} is a number of seconds above 0; got {given!r}")
    return seconds


def _failed_exchange(error: BaseException) -> RuntimeError | None:
    """Failure to reach the others, if that is what it was; gloo's error names its source file.

    A launcher that sees one process die asks the others to end, while they already do.
    """
    cause = error.__context__ if isinstance(error, KeyboardInterrupt) else error
    if not isinstance(cause, RuntimeError) or isinstance(cause, ViloraError):
        return None
    return cause if isinstance(cause, distributed.DistError) or "gloo/" in str(cause) else None


def _lost(error: RuntimeError, directory: Path) -> str:
    rank, count = os.environ.get("RANK", "?"), os.environ.get("WORLD_SIZE", "?")
    said = re.sub(r"^\[[^]]*\] *", "", str(error).splitlines()[0]).split(". ")[0].rstrip(".")
    late = (
        f" ({_WAIT} sets how long it waits)"
        if re.search("timed? ?out", said, re.IGNORECASE)
        else ""
    )
    found = run_state(directory)
    on_disk = (
        f"in {directory} is nothing yet; start again"
        if found.manifest is None
        else f"in {directory} are {found.steps} steps; go on from the last checkpoint with "
        "resume=True (vilora train --resume), in as many processes or another number"
    )
    return (
        f"process {rank} of {count} (counted from 0) lost the others{late} and stopped: {said}. "
        f"See what they said last; {on_disk}"
    )


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


def gathered(content: bytes) -> list[bytes]:
    """What each process gives, in their order; given to all of them."""
    if not distributed.is_initialized():
        return [content]
    own = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    sizes = torch.zeros(distributed.get_world_size(), dtype=torch.int64, device=device())
    sizes[distributed.get_rank()] = len(own)
    distributed.all_reduce(sizes)
    rows = torch.zeros(len(sizes), int(sizes.max()), dtype=torch.uint8, device=device())
    rows[distributed.get_rank(), : len(own)] = own
    distributed.all_reduce(rows)  # to the others' rows it adds nothing
    pairs = zip(rows.cpu(), sizes.tolist(), strict=True)
    return [bytes(row[:size].tolist()) for row, size in pairs]


def rank_and_count() -> tuple[int, int]:
    """Which of how many processes this is, counted from 0."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def synchronized(model: Any) -> Any:
    """Model whose gradients are averaged over the processes."""
    if not distributed.is_initialized():
        return model
    return DistributedDataParallel(model)
