"""Kept ranks are counted as by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.log.synthetic import Written, write_run
from vilora_analysis.analysis import ranks
from vilora_analysis.errors import LogError
from vilora_analysis.log import ModuleRow, find_runs, open_run

COLUMNS = [
    "run",
    "criterion",
    "optimizer",
    "seed",
    "step",
    "module",
    "layer",
    "matrix",
    "rank",
    "init_rank",
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_run(tmp_path_factory.mktemp("ranks") / "run", flush_after=(2,), seed=5)


def counted(written: Written, step: int) -> dict[str, int]:
    """Count one by one."""
    marks = iter(written.kept[written.steps.index(step)].tolist())
    return {
        module.name: sum(next(marks) for _ in range(module.rank))
        for module in written.manifest.modules
    }


@pytest.mark.parametrize(("steps", "step"), [(-1, 5), (3, 3), (1, 1)])
def test_ranks_are_those_counted_one_by_one(written: Written, steps: int, step: int) -> None:
    frame = ranks(open_run(written.path), steps=steps)
    assert dict(zip(frame["module"], frame["rank"], strict=True)) == counted(written, step)
    assert set(frame["step"]) == {step}
    assert counted(written, 1) != counted(written, 3) != counted(written, 5)  # or nothing is tested


def test_several_steps_stand_one_after_the_other(written: Written) -> None:
    frame = ranks(open_run(written.path), steps=None)
    assert frame["step"].tolist() == [step for step in written.steps for _ in range(7)]
    for step, group in frame.groupby("step"):
        assert dict(zip(group["module"], group["rank"], strict=True)) == counted(written, step)


def test_every_matrix_is_described(written: Written) -> None:
    frame = ranks(open_run(written.path))
    assert list(frame) == COLUMNS
    for row, module in zip(frame.itertuples(), written.manifest.modules, strict=True):
        assert (row.module, row.matrix, row.init_rank) == (module.name, module.matrix, module.rank)
        assert (None if pd.isna(row.layer) else row.layer) == module.layer
    assert str(frame["layer"].dtype) == "Int16"
    assert frame["layer"].isna().tolist() == [False] * 6 + [True]


def test_a_matrix_that_lost_everything_counts_zero(tmp_path: Path) -> None:
    kept = np.ones(20, dtype=bool)
    kept[3:6] = False
    frame = ranks(open_run(write_run(tmp_path / "run", kept=kept).path))
    assert frame["rank"].tolist() == [3, 0, 3, 3, 3, 3, 2]


def test_several_runs_are_told_apart(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", seed=1, criterion=None, config={})
    second = write_run(
        tmp_path / "b", seed=2, steps=(1, 2), config={"seed": 3}, optimizer={"name": "AdamW"}
    )
    frame = ranks(find_runs(tmp_path))
    head = frame.groupby("run").first()
    assert head.loc["a", ["criterion", "optimizer", "step"]].tolist() == ["none", "IVON", 5]
    assert head.loc["b", ["criterion", "optimizer", "step"]].tolist() == ["snr", "AdamW", 2]
    assert frame.groupby("run", sort=False)["seed"].agg(lambda s: s.isna().all()).tolist() == [
        True,
        False,
    ]
    for name, written, step in (("a", first, 5), ("b", second, 2)):
        rows = frame[frame["run"] == name]
        assert dict(zip(rows["module"], rows["rank"], strict=True)) == counted(written, step)


def test_a_model_without_layers_has_ranks(tmp_path: Path) -> None:
    rows = (ModuleRow("head", "head", None, 2), ModuleRow("tail", "tail", None, 1))
    frame = ranks(open_run(write_run(tmp_path / "run", rows=rows, kept=True).path))
    assert frame["rank"].tolist() == [2, 1]
    assert frame["layer"].isna().all()


def test_an_iterator_of_runs_will_do(written: Written) -> None:
    assert len(ranks(iter([open_run(written.path)]))) == 7


def test_a_run_without_steps_has_an_empty_frame(tmp_path: Path) -> None:
    frame = ranks(open_run(write_run(tmp_path / "run", steps=()).path))
    assert frame.empty
    assert list(frame) == COLUMNS


def test_no_run_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no run to count ranks of"):
        ranks(find_runs(tmp_path))


def test_a_step_that_was_not_recorded_is_said(written: Written) -> None:
    with pytest.raises(LogError, match="has no step 77; it has steps between 1 and 5"):
        ranks(open_run(written.path), steps=77)
