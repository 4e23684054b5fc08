"""Steps are asked for one by one, by ranges, or from the last backwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.log.conftest import STEPS
from tests.log.synthetic import (
    Written,
    manifest,
    parts_of,
    schema_of,
    write_run,
)
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, ModuleRow, Run, open_run
from vilora_analysis.log.schema import elements_schema

SELECTIONS: list[tuple[Any, list[int]]] = [
    (None, list(STEPS)),
    (15, [15]),
    (np.int64(15), [15]),
    (-1, [35]),
    (-7, [5]),
    ([30, 5], [5, 30]),
    ((10, -2), [10, 30]),
    (np.array([20, 25]), [20, 25]),
    (range(10, 21, 5), [10, 15, 20]),
    ([], []),
    (slice(None), list(STEPS)),
    (slice(10, 25), [10, 15, 20]),
    (slice(11, 26), [15, 20, 25]),
    (slice(None, 15), [5, 10]),
    (slice(30, None), [30, 35]),
    (slice(None, None, 10), [10, 20, 30]),
    (slice(5, 30, 15), [5, 20]),
    (slice(-2, None), [30, 35]),
    (slice(None, -5), [5, 10]),
    (slice(-100, 15), [5, 10]),
    (slice(None, -100), []),
    (slice(36, None), []),
    (slice(25, 10), []),
]


@pytest.mark.parametrize(("steps", "expected"), SELECTIONS, ids=lambda value: str(value))
def test_frames_and_blocks_hold_the_steps_asked_for(
    run: Run, written: Written, steps: Any, expected: list[int]
) -> None:
    frame = run.triplets(["step", "score.snr"], steps)
    assert frame["step"].tolist() == [step for step in expected for _ in range(20)]
    values = written.values["score.snr"][[STEPS.index(step) for step in expected]]
    assert frame["score.snr"].to_numpy().tobytes() == values.tobytes()
    blocks = list(run.blocks(["score.snr"], steps))
    assert [step for block in blocks for step in block.steps] == expected
    assert b"".join(block.values["score.snr"].tobytes() for block in blocks) == values.tobytes()


def test_an_empty_choice_keeps_columns_and_types(run: Run) -> None:
    none, some = run.triplets(steps=[]), run.triplets(steps=5)
    assert none.empty
    assert none.dtypes.astype(str).tolist() == some.dtypes.astype(str).tolist()


@settings(max_examples=25, deadline=None)
@given(
    start=st.none() | st.integers(0, 40),
    stop=st.none() | st.integers(0, 40),
    stride=st.none() | st.integers(1, 12),
)
def test_a_slice_is_a_range_of_step_numbers(
    run: Run, start: int | None, stop: int | None, stride: int | None
) -> None:
    meant = range(100)[slice(start, stop, stride)]
    read = run.triplets(["step"], slice(start, stop, stride))["step"].unique().tolist()
    assert read == [step for step in STEPS if step in meant]


@pytest.mark.parametrize("steps", [7, [5, 7], 0, 36, [10, 99, 98]])
def test_a_step_asked_for_by_number_that_is_not_there_is_said(run: Run, steps: Any) -> None:
    gone = ", ".join(str(s) for s in sorted({*np.atleast_1d(steps).tolist()} - {*STEPS}))
    for read in (lambda: run.triplets(["k"], steps), lambda: list(run.blocks(["k"], steps))):
        with pytest.raises(LogError, match=f"has no step {gone}; it has steps between 5 and 35"):
            read()


def test_counting_further_back_than_the_first_step_is_said(run: Run) -> None:
    with pytest.raises(LogError, match="step -8 counts from the last, but 7 steps are recorded"):
        run.triplets(steps=-8)


@pytest.mark.parametrize("stride", [0, -1])
def test_steps_are_never_read_backwards(run: Run, stride: int) -> None:
    with pytest.raises(LogError, match=f"a stride of {stride} is not positive"):
        run.triplets(steps=slice(None, None, stride))


def test_only_the_parts_asked_for_are_opened(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", flush_after=(2, 4)).path
    parts_of(path)[1].write_bytes(b"PAR1 not at all PAR1")
    run = open_run(path)
    assert run.triplets(["step"], slice(5, None))["step"].unique().tolist() == [5]
    assert run.triplets(["step"], [1, 2, 5])["step"].unique().tolist() == [1, 2, 5]
    with pytest.raises(LogError, match=r"part-000001-\d+-\d+\.parquet is damaged"):
        run.triplets(["step"], 3)


def test_elements_count_their_own_steps(tmp_path: Path) -> None:
    known = manifest((ModuleRow("layer.0.q", "W_q", 0, 1),))
    log = LogWriter(
        tmp_path / "run", known, triplets=schema_of(known), elements=elements_schema(["mu"])
    )
    key = {"module": "layer.0.q", "layer": 0, "matrix": "W_q", "k": 0, "factor": "A"}
    for step in (1, 2, 3):
        log.triplets(step, np.ones((8, 1), np.float32), np.ones(1, bool))
    for step in (1, 2):
        log.elements([{"step": step, **key, "mu": [float(step), 0.5]}])
    log.close("finished")
    run = open_run(log.directory)
    last = run.elements(["step", "mu"], -1)  # not the last step of the triplets, 3
    assert last["step"].tolist() == [2]
    assert last["mu"].iloc[0].tolist() == [2.0, 0.5]
    assert run.elements(["factor"])["factor"].tolist() == ["A", "A"]
