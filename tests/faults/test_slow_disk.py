"""A disk that is slow, or never recovers: the caller waits, memory stays, content is the same."""

from __future__ import annotations

import os
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.disk import (
    KNOWN,
    SCHEMA,
    STEPS,
    Disk,
    all_are_there_or_said,
    calls_of_opening,
    is_sound,
    record,
    steps_read,
)
from tests.faults.soak import count
from tests.log.synthetic import decision, numbered_step
from vilora_analysis.log import LogWriter, open_run, writer


def test_a_slow_disk_makes_the_caller_wait_and_drops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_ROWS_PER_PART", 2 * KNOWN.n_triplets)
    real = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(0.002)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA, flush_seconds=0.0, depth=3)
    steps, most = count(60, 3_000), 0
    blocks = []
    for step in range(1, steps + 1):
        log.metrics(step, {"loss": 1.0})
        log.triplets(*numbered_step(KNOWN, step))
        log.flush_if_due()
        most = max(most, len(log._background._jobs))
        steps_in_hand = log._triplets
        assert steps_in_hand is not None
        blocks.append(len(steps_in_hand._free) + (steps_in_hand._block is not None))
    assert most == 3  # as many as may wait, so somebody had to
    assert max(blocks) <= 2
    log.close("finished")
    assert steps_read(tmp_path / "run") == list(range(1, steps + 1))
    assert open_run(tmp_path / "run").metrics()["step"].tolist() == list(range(1, steps + 1))
    is_sound(tmp_path / "run")
    assert not any(thread.name == "vilora log" for thread in threading.enumerate())


def test_a_disk_that_never_recovers_keeps_nothing_in_memory(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        opening = calls_of_opening(tmp_path / "opened")
        Disk(patch, lambda call: call > opening)
        options: dict[str, Any] = {"flush_seconds": 0.0, "on_error": "warn", "depth": 3}
        log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA, **options)
        for step in range(1, count(300, 20_000) + 1):
            log.metrics(step, {"loss": 1.0})
            log.event(**decision(step))
            log.triplets(*numbered_step(KNOWN, step))
            log.flush_if_due()
        log.flush()
        assert [len(rows.rows) for rows in log._rows.values()] == [0, 0]
        assert {(gap.table, gap.first, gap.last) for gap in log.gaps} == {
            (table, 1, step) for table in ("metrics", "events", "triplets")
        }
        log.close("finished")
    assert len(caught) == 1


def test_parts_are_the_same_with_and_without_a_thread(tmp_path: Path) -> None:
    for depth in (0, 16):
        record(tmp_path / str(depth), depth=depth)
    files = [sorted((tmp_path / str(d)).glob("*/part-*")) for d in (0, 16)]
    assert [p.name for p in files[0]] == [p.name for p in files[1]]
    assert len(files[0]) == 9
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


def test_steps_that_come_later_are_resolved_in_order_and_failing_ones_are_gaps(
    tmp_path: Path,
) -> None:
    class Later:
        def __init__(self, step: int) -> None:
            self.step = step

        def resolve(self) -> np.ndarray:
            assert threading.current_thread().name == "vilora log"
            if self.step in (1, 4, 5):
                raise ValueError(f"no numbers of step {self.step}")
            return numbered_step(KNOWN, self.step)[1]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA, on_error="warn", depth=2)
        for step in range(1, STEPS + 1):
            log.metrics(step, {"loss": 1.0})
            log.triplets(step, Later(step), np.ones(KNOWN.n_triplets, dtype=bool))
        log.close("finished")
    assert len(caught) == 1
    is_sound(tmp_path / "run")
    all_are_there_or_said(tmp_path / "run")
    assert steps_read(tmp_path / "run") == [2, 3, 6, 7, 8]

    log = LogWriter(tmp_path / "stops", KNOWN, triplets=SCHEMA, depth=2)

    def go_on() -> None:  # it is told at once, or at the next call
        log.triplets(1, Later(1), np.ones(KNOWN.n_triplets, dtype=bool))
        log.flush()

    with pytest.raises(ValueError, match="no numbers of step 1"):
        go_on()
    log.close("failed")
