"""What the README shows is run: every Python block, in order, on a tiny model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from tests.training.test_callback import Rows

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"<!-- run by tests/test_readme.py -->\n```python\n(.*?)```", README, re.DOTALL)


def names_for(block: str, folder: Path) -> dict[str, Any]:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "out"), max_steps=30, report_to=[], use_cpu=True, disable_tqdm=True
    )
    return {
        "model": model,
        "optimizer": optimizer,
        "batches": batches(30),
        "schedule": schedule,
        "arguments": arguments,
        "train_dataset": Rows(40),
    }


def run_block(block: str, folder: Path) -> dict[str, Any]:
    names = names_for(block, folder)
    exec(compile(block, "README.md", "exec"), names)
    return names


def test_there_are_blocks_and_none_is_left_out() -> None:
    assert len(BLOCKS) == README.count("```python") == 5


def test_the_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own: the loop writes the run that the later blocks read."""
    monkeypatch.chdir(tmp_path)
    loop, trainer, plain, reading, own_score = BLOCKS
    run_block(loop, tmp_path)
    run = va.open_run("runs/mine")
    assert run.steps.tolist() == list(range(1, 31))
    assert run.triplets(["kept"], -1)["kept"].sum() == 26
    run_block(plain, tmp_path)
    run_block(reading, tmp_path)
    assert (tmp_path / "figures" / "fig1.png").exists()
    run_block(trainer.replace("runs/mine", "runs/trainer"), tmp_path)
    assert len(va.open_run("runs/trainer").steps) == 30
    try:
        run_block(own_score, tmp_path)
        assert va.get_score("mean_times_hess").inputs == ("mu", "hess")
    finally:
        va.scores.unregister("mean_times_hess")


def test_the_loop_and_the_trainer_fit_in_ten_lines() -> None:
    for block in BLOCKS[:2]:
        code = [line for line in block.splitlines() if line.strip()]
        assert len(code) <= 11


def test_every_command_named_exists() -> None:
    from vilora_analysis.cli import commands

    named = set(re.findall(r"^\| `vilora (\w+)", README, re.MULTILINE))
    assert named == {"demo", "train", "analyze", "scores", "check"}
    assert all(hasattr(commands, name.capitalize()) for name in named)


def test_every_picture_is_there() -> None:
    root = Path(__file__).parents[1]
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert all((root / picture).exists() for picture in pictures)
