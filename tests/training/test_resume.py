"""A run that is killed and resumed ends as one that was not: weights, log, results, to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import safetensors.torch
import torch

from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import check_run, open_run
from vilora_analysis.training import RunConfig, configure
from vilora_analysis.training.checkpoint import load_checkpoint, save_checkpoint
from vilora_analysis.training.run import train

# dropout, evaluation by samples and full snapshots: all that could draw a number too many
SETTINGS: dict[str, Any] = {
    "task": "sst2",
    "steps": 24,
    "batch_size": 6,
    "init_rank": 3,
    "target_rank": 2,
    "max_length": 24,
    "eval_every": 5,
    "eval_samples": 2,
    "elements_every": 4,
    "checkpoint_every": 7,
    "allocate_every": 2,
    "resume": True,
}

# kills itself where it is told, the second time as well
KILLED = """
import json, os, signal, sys
from pathlib import Path
from vilora_analysis.recording import Recording
from vilora_analysis.training import RunConfig, configure, run as running

settings, where, step = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for name in ("data_dir", "out"):
    settings[name] = Path(settings[name])

def at_step(function):
    def wrapped(*args, **kwargs):
        recording = next(a for a in args if isinstance(a, Recording))
        if recording.step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return wrapped

if where == "between steps":
    running._between = at_step(running._between)
elif where == "after the checkpoint":
    save = running.save_state
    def saved(*args):
        save(*args)
        at_step(lambda *_: None)(*args)
    running.save_state = saved
elif where == "within the checkpoint":
    from vilora_analysis.log import parts
    rename = parts.os.replace
    parts._rename = lambda aside, path: (
        os.kill(os.getpid(), signal.SIGKILL) if path.name == "last.pt" else rename(aside, path)
    )
elif where == "at the end":
    running.save_adapter = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
running.train(configure(**settings), progress=False)
"""


def config(encoder: Path, glue: Path, out: Path, **settings: Any) -> RunConfig:
    return configure(
        **{**SETTINGS, "model": str(encoder), "data_dir": glue, "out": out, **settings}
    )


def run_killed(settings: dict[str, Any], where: str, step: int) -> None:
    words = {name: str(v) if isinstance(v, Path) else v for name, v in settings.items()}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(words), where, str(step)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def log_of(out: Path) -> dict[str, pd.DataFrame]:
    run = open_run(out)
    assert check_run(out) == []
    return {
        "triplets": run.triplets(),
        "elements": run.elements(),
        "events": run.events(),
        "metrics": run.metrics().drop(columns="seconds"),
    }


def files_of(out: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.relative_to(out)}:{name}": value
        for path in sorted(out.glob("adapter*/*.safetensors"))
        for name, value in safetensors.torch.load_file(path).items()
    }


def assert_same(first: Path, second: Path) -> None:
    found = log_of(second)
    for name, frame in log_of(first).items():
        pd.testing.assert_frame_equal(frame, found[name], check_exact=True)
    expected, got = files_of(first), files_of(second)
    assert expected.keys() == got.keys()
    assert all(torch.equal(value, got[name]) for name, value in expected.items())
    assert open_run(first).manifest.results == open_run(second).manifest.results


@pytest.fixture(scope="module")
def whole(
    dropout_encoder: Path, glue: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """A run that nobody interrupts."""
    out = tmp_path_factory.mktemp("whole") / "run"
    settings = {**SETTINGS, "model": str(dropout_encoder), "data_dir": glue}
    train(configure(**settings, out=out), progress=False)
    assert len(list(out.glob("adapter*"))) == 2
    assert not (out / "checkpoint").exists()
    return settings, out


@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("between steps", 3),  # before the first checkpoint
        ("between steps", 13),
        ("after the checkpoint", 14),
        ("within the checkpoint", 7),
        ("at the end", 0),
    ],
)
def test_killed_and_resumed_is_the_same_run(
    whole: tuple[dict[str, Any], Path], tmp_path: Path, where: str, step: int
) -> None:
    settings, uninterrupted = whole
    out = tmp_path / "run"
    run_killed({**settings, "out": out}, where, step)
    assert open_run(out).manifest.status == "running"
    train(configure(**settings, out=out), progress=False)
    assert_same(uninterrupted, out)


def test_killed_twice(whole: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    settings, uninterrupted = whole
    out = tmp_path / "run"
    for step in (9, 22):
        run_killed({**settings, "out": out}, "between steps", step)
    train(configure(**settings, out=out), progress=False)
    assert_same(uninterrupted, out)


@pytest.mark.parametrize("method", ["adalora", "full_ft"])
def test_adamw_as_well(dropout_encoder: Path, glue: Path, tmp_path: Path, method: str) -> None:
    settings = {**SETTINGS, "model": str(dropout_encoder), "data_dir": glue, "method": method}
    settings |= {"optimizer": "adamw", "eval_samples": 0, "elements_every": 0}
    train(configure(**settings, out=tmp_path / "whole"), progress=False)
    run_killed({**settings, "out": tmp_path / "run"}, "between steps", 13)
    train(configure(**settings, out=tmp_path / "run"), progress=False)
    assert_same(tmp_path / "whole", tmp_path / "run")


def test_a_finished_run_is_left_alone(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    settings = config(encoder_path, glue, tmp_path / "run", eval_every=0)
    train(settings, progress=False)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert train(settings, progress=False).manifest.status == "finished"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_other_settings_are_refused(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    train(config(encoder_path, glue, tmp_path / "run", eval_every=0), progress=False)
    with pytest.raises(ConfigError, match=r"other settings \(eval_every was 0, is 5\)"):
        train(config(encoder_path, glue, tmp_path / "run"), progress=False)
    with pytest.raises(LogError, match=r"holds a run already; resume it \(--resume\)"):
        train(config(encoder_path, glue, tmp_path / "run", resume=False), progress=False)


def test_a_damaged_checkpoint_is_said(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    settings = config(encoder_path, glue, tmp_path / "run")
    words = {**SETTINGS, "model": str(encoder_path), "data_dir": glue, "out": tmp_path / "run"}
    run_killed(words, "between steps", 9)
    checkpoint = tmp_path / "run" / "checkpoint" / "last.pt"
    save_checkpoint(checkpoint, {**load_checkpoint(checkpoint), "format": 1})
    with pytest.raises(LogError, match=r"last\.pt is of another version .*delete the file"):
        train(settings, progress=False)
    checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(LogError, match=r"last\.pt is damaged .*delete it to start over"):
        train(settings, progress=False)
