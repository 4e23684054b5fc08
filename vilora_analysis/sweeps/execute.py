"""What a worker does with a cell: a process of its own, and what became of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vilora_analysis.errors import LogError, require
from vilora_analysis.log import Manifest
from vilora_analysis.log.state import ERROR_FILE
from vilora_analysis.sweeps.child import EXIT_BUSY, EXIT_UNWANTED, write_error
from vilora_analysis.sweeps.devices import one_device
from vilora_analysis.sweeps.grid import Cell
from vilora_analysis.training.tasks import TASKS

__all__ = ["OUTPUT_FILE", "Outcome", "run_cell"]

OUTPUT_FILE = "output.txt"
"""What the run printed, in its directory."""

# these ask to stop, as batch systems do before they kill; any other one is a crash
_ASKED_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 1.0
_SETTLE_SECONDS = 1.0
_END_SECONDS = 10.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Attributes
    ----------
    name
        Name of the cell.
    state
        ``busy`` if another process is at it; ``interrupted`` if it was asked to stop.
    reason
        Why it did not finish, in one line.
    metric, value
        The task's main metric.
    seconds
        How long it took this time.
    """

    name: str
    state: Literal["finished", "failed", "interrupted", "busy"]
    reason: str = ""
    metric: str = ""
    value: float | None = None
    seconds: float = 0.0


def run_cell(cell: Cell, threads: int | None = None) -> Outcome:
    """Carry out one run in a child process, and wait for it.

    Parameters
    ----------
    cell
        The run.
    threads
        Threads of the child's arithmetic; by default as in this process.

    Returns
    -------
    Outcome
        A failure is an outcome, not an exception: its reason is on disk too.
    """
    began = time.monotonic()
    try:
        cell.path.mkdir(parents=True, exist_ok=True)
        with one_device() as device:
            code = _run_child(cell, _environment(threads, device), _wanted())
        state, reason = _judge(code, cell.path)
    except OSError as error:
        state, reason = "failed", f"cannot start the run in {cell.path}: {error}"
    metric, value = _main_metric(cell) if state == "finished" else ("", None)
    return Outcome(cell.name, state, reason, metric, value, time.monotonic() - began)


def _command() -> list[str]:
    # -P: what lies in the working directory must not shadow a library
    return [sys.executable, "-P", "-m", "vilora_analysis.sweeps.child"]


def _environment(threads: int | None, device: Mapping[str, str]) -> dict[str, str]:
    chosen = {} if threads is None else dict.fromkeys(_THREADS, str(threads))
    # threads that spin while they wait take the processor from the neighbouring run
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **chosen, **device}


def _run_child(cell: Cell, environment: dict[str, str], wanted: Callable[[], bool]) -> int:
    """Exit code of the child; it is ended when the cell is no longer wanted."""
    told = json.dumps({"fields": dict(cell.fields), "out": str(cell.config.directory)})
    with (cell.path / OUTPUT_FILE).open("ab") as output:
        process = subprocess.Popen(
            _command(),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=cell.root,
            env=environment,
            start_new_session=True,  # Ctrl-C is for us; the child ends with its standard input
        )
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(f"{told}\n".encode())
            process.stdin.flush()
        return _wait(process, wanted)
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], wanted: Callable[[], bool]) -> int:
    while wanted():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL_SECONDS)
    return EXIT_UNWANTED


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the child's standard input, which ends it; kill it if that does not."""
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()  # type: ignore[union-attr]
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wanted() -> Callable[[], bool]:
    """Whether worker and scheduler still want the present task: its client may have gone away."""
    distributed = require("distributed", extra="sweep")
    try:
        worker = distributed.get_worker()
    except ValueError:
        return lambda: True  # called outside of a worker
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        ending = worker.status.name in ("closing", "closed", "stopping", "failed")
        return not ending and task is not None and task.state != "cancelled"

    return wanted


def _judge(code: int, directory: Path) -> tuple[Any, str]:
    """State and reason from the exit code of a child."""
    if code == 0:
        return "finished", ""
    if code == EXIT_BUSY:
        return "busy", "another process is at this run"
    if code == EXIT_UNWANTED:
        return "interrupted", "no longer wanted"
    if code < 0:
        return _judge_signal(signal.Signals(-code), directory)
    with contextlib.suppress(OSError, IndexError):
        text = (directory / ERROR_FILE).read_text(encoding="utf-8", errors="replace")
        return "failed", text.splitlines()[0]
    return _failed(f"ended with exit status {code}, see {OUTPUT_FILE}", directory)


def _judge_signal(number: signal.Signals, directory: Path) -> tuple[Any, str]:
    if number in _ASKED_TO_STOP:
        return "interrupted", f"asked to stop by {number.name}"
    if number == signal.SIGKILL:
        # if all of a job is being killed, this process is next, and the run has not failed
        time.sleep(_SETTLE_SECONDS)
        return _failed(f"killed by {number.name} (out of memory?)", directory)
    return _failed(f"killed by {number.name}, see {OUTPUT_FILE}", directory)


def _failed(reason: str, directory: Path) -> tuple[Any, str]:
    with contextlib.suppress(LogError):
        write_error(directory, reason)
    return "failed", reason


def _main_metric(cell: Cell) -> tuple[str, float | None]:
    """The task's first metric among the results, or else the first of them."""
    try:
        results = Manifest.load(cell.path).results
    except LogError:
        return "", None
    task = TASKS.get(cell.config.task)
    first = [name for name in results if task and name.startswith(task.metrics[0])]
    for name in [*first, *results]:
        if isinstance(results[name], int | float):
            return name, float(results[name])
    return "", None
