"""One row a run: what varies, what came out, and those that have no manifest to speak of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from tests.log.synthetic import manifest
from vilora_analysis.analysis import runs_table

CONFIG = {
    "task": "rte",
    "method": "adalora",
    "optimizer": "ivon",
    "criterion": "snr",
    "seed": 0,
    "lr": 5.0,
    "steps": 60,
    "tinit": None,
}


def leave(run: Path, results: dict[str, Any] | None = None, **config: Any) -> Path:
    run.mkdir()
    made = manifest(
        config=CONFIG | config,
        results=results or {},
        status="finished" if results else "running",
        created="2026-01-02T03:04:05+00:00",
        finished="2026-01-02T03:05:05+00:00" if results else "",
    )
    made.save(run)
    return run


def test_columns_are_the_settings_that_vary_and_every_result(tmp_path: Path) -> None:
    runs = [
        leave(tmp_path / "a", {"accuracy": 0.5, "best_accuracy": 0.6}),
        leave(tmp_path / "b", {"pearson": 0.25}, task="stsb", lr=2.0, tinit=3),
        leave(tmp_path / "c"),
    ]
    frame = runs_table(runs)
    assert list(frame) == [
        *("run", "state", "reason", "steps_done"),
        *("task", "method", "optimizer", "criterion", "seed", "lr"),
        *("accuracy", "best_accuracy", "pearson", "seconds"),
    ]
    assert frame["state"].tolist() == ["finished", "finished", "interrupted"]
    assert frame["lr"].tolist() == [5.0, 2.0, 5.0]
    assert frame["seconds"].isna().tolist() == [False, False, True]
    assert frame["seconds"][0] == 60
    assert frame["accuracy"].isna().tolist() == [False, True, True]


def test_runs_without_a_manifest_to_read_have_a_row(tmp_path: Path) -> None:
    failed, broken = tmp_path / "failed", tmp_path / "broken"
    failed.mkdir()
    (failed / "error.txt").write_text("no [model]\nTraceback")
    broken.mkdir()
    (broken / "run.json").write_text("{")
    frame = runs_table([failed, broken, leave(tmp_path / "run")])
    assert frame["state"].tolist() == ["failed", "unreadable", "interrupted"]
    assert frame["reason"][0] == "no [model]"
    assert "run.json" in frame["reason"][1]
    assert frame["task"].isna().tolist() == [True, True, False]
    assert set(runs_table([failed])["state"]) == {"failed"}


def test_a_run_of_somebodys_own_loop_needs_no_configuration(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    manifest(config={}, criterion=None, results={"steps_done": 3, "nested": [1]}).save(run)
    frame = runs_table([run])
    assert frame["criterion"].tolist() == ["none"]
    assert frame["steps_done"].tolist() == [0]
    assert frame["result_steps_done"].tolist() == [3]
    assert frame["nested"].tolist() == ["[1]"]


def test_it_survives_a_csv(tmp_path: Path) -> None:
    frame = runs_table([leave(tmp_path / "a", {"accuracy": 0.5}), leave(tmp_path / "b", seed=1)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    again = pd.read_csv(tmp_path / "t.csv")
    assert list(again) == list(frame)
    assert again["seed"].tolist() == [0, 1]


def test_no_runs_make_an_empty_table() -> None:
    assert len(runs_table([])) == 0
    assert "state" in runs_table([])
