"""Ranks are scipy's, whatever ties; work by threads comes back in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from tests.log.synthetic import write_run
from vilora_analysis.analysis import average_ranks, correlation_blocks, correlations, in_order
from vilora_analysis.log import open_run

FEW = [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 3.4e38, np.inf, -np.inf, 0.1]


@settings(max_examples=100, deadline=None)
@given(
    arrays(
        np.float32,
        array_shapes(min_dims=1, max_dims=3, max_side=7),
        elements=st.sampled_from(FEW) | st.floats(width=32, allow_nan=True),
    )
)
def test_ranks_of_single_precision_are_scipys(values: np.ndarray) -> None:
    expected = 2 * stats.rankdata(values, axis=-1) - (values.shape[-1] + 1)
    np.testing.assert_array_equal(average_ranks.centred_ranks(values), expected)


def test_many_rows_are_ranked_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(7, 3, 50)).astype(np.float32)
    values[2:4] = np.round(values[2:4])
    expected = 2 * stats.rankdata(values, axis=-1) - 51
    for at_once in (1, 51, 120, 10**6):
        monkeypatch.setattr(average_ranks, "_AT_ONCE", at_once)
        found = average_ranks.centred_ranks(values)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)


def test_results_come_in_order_and_items_are_taken_as_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_order, "available_cores", lambda: 3)
    taken: list[int] = []
    late = threading.Event()

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    def compute(item: int) -> int:
        late.wait(5) if item == 0 else late.set()
        return item * item

    found = in_order.in_order(compute, items())
    assert next(found) == 0
    assert len(taken) == 4  # one ahead of three threads
    assert list(found) == [item * item for item in range(1, 20)]
    assert list(in_order.in_order(compute, [3])) == [9]
    assert list(in_order.in_order(compute, [])) == []


def test_what_fails_in_a_thread_fails_where_it_is_read() -> None:
    def compute(item: int) -> float:
        return 1 / (item - 3)

    found = in_order.in_order(compute, range(6))
    assert [next(found) for _ in range(3)] == [-1 / 3, -1 / 2, -1]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_blocks_are_the_frame_in_another_shape(tmp_path: Path) -> None:
    scores = ("snr", "mean_abs", "inverse_std")
    run = open_run(
        write_run(tmp_path / "run", steps=range(1, 8), flush_after=(2, 3), scores=scores).path
    )
    asked = {"methods": ("spearman", "pearson"), "by": "matrix"}
    frame = correlations(run, **asked)
    for block in correlation_blocks(run, **asked):
        assert block.values.shape == (len(block.steps), 3, 3)
        rows = frame[(frame["group"] == block.group) & (frame["method"] == block.method)]
        rows = rows[rows["step"].isin(block.steps)]
        assert set(rows["n"]) == {block.n}
        wide = rows.pivot_table("value", "step", ["score_a", "score_b"])
        pairs = [(scores.index(a), scores.index(b)) for a, b in wide.columns]
        for column, (a, b) in enumerate(pairs):
            np.testing.assert_array_equal(block.values[:, a, b], wide.iloc[:, column])
            np.testing.assert_array_equal(block.values[:, a, b], block.values[:, b, a])
    assert sum(len(b.steps) for b in correlation_blocks(run, **asked)) == 7 * 2 * 4
    assert isinstance(frame, pd.DataFrame)
