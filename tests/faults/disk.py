"""A run to record, a disk that fails when told, and what has to be true afterwards."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.log.synthetic import decision, manifest, numbered_step, schema_of
from vilora_analysis.log import LogWriter, Manifest, check_run, open_run
from vilora_analysis.log.gaps import explains

KNOWN = manifest()
SCHEMA = schema_of(KNOWN)
STEPS = 8
Failing = Callable[[int], bool]


class Disk:
    """Counts the calls that make something durable, and fails at those it is told."""

    def __init__(self, patch: pytest.MonkeyPatch, failing: Failing, number: int = 28) -> None:
        self.calls = 0
        self._failing, self._number = failing, number
        for owner, name in ((os, "fsync"), (os, "replace"), (Path, "open")):
            patch.setattr(owner, name, self._failing_as(getattr(owner, name), name))

    def _failing_as(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if name == "open" and not str(args[0]).endswith(".tmp"):
                return real(*args, **options)
            self.calls += 1
            if self._failing(self.calls):
                raise OSError(self._number, os.strerror(self._number), str(args[0]))
            return real(*args, **options)

        return call


def record(
    path: Path,
    between: Callable[[int], None] = lambda step: None,
    every: int = 2,
    **options: Any,
) -> None:
    """Eight steps, flushed after every second one; an error ends the run, as it ends training."""
    log = LogWriter(path, KNOWN, triplets=SCHEMA, flush_seconds=float("inf"), **options)
    status = "failed"
    try:
        for step in range(1, STEPS + 1):
            between(step)
            log.metrics(step, {"loss": float(step)})
            log.triplets(*numbered_step(KNOWN, step))
            if step == 3:
                log.event(**decision(3))
            if step % every == 0:
                log.flush()
        status = "finished"
    finally:
        log.close(status)  # type: ignore[arg-type]


def steps_read(path: Path) -> list[int]:
    """Steps on disk, each with the numbers that were given."""
    run = open_run(path)
    for block in run.blocks(["score.snr"]):
        assert (block.values["score.snr"] == block.steps[:, None]).all()
    steps: list[int] = run.steps.tolist()
    assert len(set(steps)) == len(steps)
    return steps


def is_sound(path: Path) -> None:
    problems = [problem for problem in check_run(path) if problem.path.suffix != ".tmp"]
    assert not problems, problems


def all_are_there_or_said(path: Path) -> None:
    gaps, there = Manifest.load(path).gaps, set(steps_read(path))
    for step in range(1, STEPS + 1):
        assert (step in there) != explains(gaps, "triplets", step, step), (step, there, gaps)


@contextmanager
def one_warning() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
    assert len(caught) == 1, [str(warning.message) for warning in caught]
    told = str(caught[0].message)
    assert "Remedy: " in told
    assert "Training goes on" in told


def calls_of_opening(path: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, lambda call: False)
        log = LogWriter(path, KNOWN, triplets=SCHEMA)
        calls = disk.calls
        log.close("finished")
    return calls
