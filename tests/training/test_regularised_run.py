"""A whole run under a penalty, interrupted and resumed: the same to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.test_resume import assert_same
from vilora_analysis import analysis
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import check_run
from vilora_analysis.training import configure
from vilora_analysis.training import run as running

SETTINGS: dict[str, Any] = {
    "task": "sst2",
    "allocation": "l1",
    "l1_penalty": 1e-5,
    "steps": 16,
    "batch_size": 6,
    "init_rank": 3,
    "target_rank": 2,
    "max_length": 24,
    "eval_every": 5,
    "eval_samples": 2,
    "elements_every": 4,
    "checkpoint_every": 4,
    "resume": True,
}


def test_interrupted_and_resumed_is_the_same_run(
    dropout_encoder: Path, glue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SETTINGS, "model": str(dropout_encoder), "data_dir": glue}
    whole = running.train(configure(**settings, out=tmp_path / "whole"), progress=False)
    assert check_run(whole.path) == []
    results = whole.manifest.results
    assert results["budget_kept"] == whole.triplets(["kept"], -1)["kept"].sum()
    assert 0 < results["budget_kept"] < 39
    row = analysis.rank_by_penalty(whole).iloc[0]
    assert (row["penalty"], row["rank"]) == (1e-5, results["budget_kept"])

    between = running._between

    def stop(parts: Any, recording: Any) -> None:
        if recording.step == 10:
            raise KeyboardInterrupt
        between(parts, recording)

    config = configure(**settings, out=tmp_path / "run")
    monkeypatch.setattr(running, "_between", stop)
    with pytest.raises(KeyboardInterrupt):
        running.train(config, progress=False)
    monkeypatch.undo()
    running.train(config, progress=False)
    assert_same(whole.path, tmp_path / "run")


def test_another_penalty_does_not_resume(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "model": str(encoder_path), "data_dir": glue, "steps": 4}
    settings |= {"eval_every": 0, "out": tmp_path / "run", "warmup_steps": 1}
    running.train(configure(**settings), progress=False)
    with pytest.raises(ConfigError, match=r"l1_penalty was 1e-05, is 0\.001"):
        running.train(configure(**{**settings, "l1_penalty": 1e-3}), progress=False)
