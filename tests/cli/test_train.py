"""``vilora train``: what it is told, what it would run, and how it ends when asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vilora_analysis as va
from vilora_analysis.cli import main
from vilora_analysis.log import check_run


def shown(words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(words.split()) == 0
    return capsys.readouterr().out.splitlines()


def test_show_config_prints_the_published_settings(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown("train --preset paper --task rte --target-rank 2 --show-config", capsys)
    assert {"steps = 3900", "lr = 0.5", 'lr_schedule = "two_level"', "tinit = 600"} <= set(lines)
    assert lines[-1] == ("# 1500 allocations, after steps 600 to 2100, from rank 3 to 2 on average")


def test_what_is_given_goes_before_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    words = "train --preset=paper --task rte --scale 0.1 --lr 0.7 --tinit=9 --show-config"
    lines = shown(words, capsys)
    assert {"steps = 390", "lr = 0.7", "tinit = 9", "tfinal = 180", "scale = 0.1"} <= set(lines)


def test_help_shows_the_presets_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--preset", "paper", "--task", "mrpc", "--method", "lora", "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "(default: 0.0002)" in said
    assert "(default: 3450)" in said


def test_shown_settings_are_those_of_a_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown("train --preset paper --task cola --criterion snr_abs --show-config", capsys)
    out = tmp_path / "runs"
    grid = tmp_path / "grid.toml"
    grid.write_text(f'out = "{out}"\n[fixed]\n' + "\n".join(lines) + "\n[grid]\nseed = [1]\n")
    text = grid.read_text().replace("seed = 0\n", "")
    grid.write_text(text)
    assert shown(f"sweep {grid} --dry-run", capsys)[-1] == "1 runs, 1 to run"


def test_asked_to_end_it_writes_what_it_has(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    """SIGTERM, as batch systems send it before they kill; resumed, it goes on from there."""
    out = tmp_path / "run"
    words = f"train --task sst2 --data-dir {glue} --model {encoder_path} --out {out}"
    words += " --steps 3000 --batch-size 6 --checkpoint-every 5 --max-length 24"
    script = str(Path(sys.executable).with_name("vilora"))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [script, *words.split()], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stderr is not None
        seen = b""
        while b"loss" not in seen:  # the bar shows the first steps
            seen += os.read(process.stderr.fileno(), 1000)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.returncode == 130
    run = va.open_run(out)
    assert run.manifest.status == "failed"
    assert len(run.steps) >= 1
    assert run.steps.tolist() == list(range(1, len(run.steps) + 1))
    assert check_run(out) == []
