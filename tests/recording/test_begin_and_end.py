"""A recording begins only where it can, and however it ends the log is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from tests.recording.loops import loop
from vilora_analysis.errors import ConfigError, LayoutError, LogError, ScoreError
from vilora_analysis.log import check_run


def test_a_failing_loop_leaves_a_valid_log_that_says_so(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))

    def fail(step: int) -> None:
        if step == 12:
            raise RuntimeError("out of memory")

    with (
        pytest.raises(RuntimeError, match="out of memory"),
        va.instrument(model, optimizer, tmp_path / "run", criterion="snr"),
    ):
        loop(model, optimizer, 30, fail)
    run = va.open_run(tmp_path / "run")
    assert run.manifest.status == "failed"
    assert run.steps.tolist() == list(range(1, 13))
    assert check_run(run.path) == []
    assert not optimizer._optimizer_step_post_hooks


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    recording = va.instrument(model, ivon_for(trainable(model)), tmp_path / "run")
    recording.close()
    recording.close()
    assert va.open_run(tmp_path / "run").manifest.status == "finished"


def test_a_second_run_into_one_directory_is_refused(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, tmp_path / "run"):
        with pytest.raises(LogError, match="is being written by process"):
            va.instrument(model, optimizer, tmp_path / "run")
        assert len(optimizer._optimizer_step_post_hooks) == 1
    with pytest.raises(LogError, match="holds a run already"):
        va.instrument(model, optimizer, tmp_path / "run")


@pytest.mark.parametrize("setting", [{"every": 0}, {"elements_every": -1}])
def test_nonsense_intervals_are_refused(setting: dict[str, int]) -> None:
    model = adalora(tiny_bert())
    with pytest.raises(ConfigError, match="at least"):
        va.instrument(model, ivon_for(trainable(model)), **setting)


def test_an_unknown_score_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    with pytest.raises(ScoreError, match="did you mean snr"):
        va.instrument(model, ivon_for(trainable(model)), tmp_path / "run", scores=["snrr"])
    assert not (tmp_path / "run").exists()


def test_a_script_that_forgets_to_close_loses_nothing(tmp_path: Path) -> None:
    script = """
import sys
import vilora_analysis as va
from tests.conftest import adalora, ivon_for, tiny_bert, trainable
from tests.recording.loops import loop
model = adalora(tiny_bert())
optimizer = ivon_for(trainable(model))
va.instrument(model, optimizer, sys.argv[1], criterion="snr")
loop(model, optimizer, 12)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "run")]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    run = va.open_run(tmp_path / "run")
    assert run.steps.tolist() == list(range(1, 13))
    assert run.manifest.status == "running"
    assert len(run.events()) == 7


def test_a_state_left_behind_by_a_move_is_fetched() -> None:
    """A Trainer moves the model after IVON was built, which keeps device and tensors of its own."""
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    group = optimizer.param_groups[0]
    optimizer._device = torch.device("meta")
    group["momentum"] = group["momentum"].double().to("cpu")
    with va.instrument(model, optimizer) as recording:
        assert optimizer._device == torch.device("cpu")
        assert recording.step == 0


def test_half_precision_is_refused() -> None:
    model = adalora(tiny_bert()).half()
    optimizer = ivon_for(trainable(model))
    with pytest.raises(LayoutError, match=r"in float16.*load the model with \.float\(\)"):
        va.instrument(model, optimizer)


def test_ivon_without_drawn_weights_is_said() -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer):
        model(**next(batches(1))).loss.backward()
        with pytest.raises(LayoutError, match=r"with va\.sampled_parameters\(optimizer\)"):
            optimizer.step()
