"""What the README shows is run: every Python block, in order, on a tiny model."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import transformers
from safetensors.torch import load_file

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, load_adapter, tiny_bert, trainable

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"<!-- run by tests/test_readme.py -->\n```python\n(.*?)```", README, re.DOTALL)


def names_for(block: str, folder: Path) -> dict[str, Any]:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    return {"model": model, "optimizer": optimizer, "batches": batches(30)}


def run_block(block: str, folder: Path) -> dict[str, Any]:
    names = names_for(block, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between transformers and peft
        exec(compile(block, "README.md", "exec"), names)
    return names


def test_there_are_blocks_and_none_is_left_out() -> None:
    assert len(BLOCKS) == README.count("```python") == 6


def test_the_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own: the loop writes the run that the later blocks read."""
    monkeypatch.chdir(tmp_path)
    loop, _, _, plain, reading, own_score = BLOCKS
    run_block(loop, tmp_path)
    run = va.open_run("runs/mine")
    assert run.steps.tolist() == list(range(1, 31))
    assert run.triplets(["kept"], -1)["kept"].sum() == 26
    run_block(plain, tmp_path)
    run_block(reading, tmp_path)
    assert (tmp_path / "figures" / "fig1.png").exists()
    try:
        run_block(own_score, tmp_path)
        assert va.get_score("mean_times_hess").inputs == ("mu", "hess")
    finally:
        va.scores.unregister("mean_times_hess")


def test_the_trainer_script_runs_resumes_and_its_adapter_is_drawn_from(
    encoder_path: Path, glue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a tiny encoder and a tiny SST-2 in the place of the hub's."""
    monkeypatch.chdir(tmp_path)
    local = datasets.Dataset.from_parquet(str(glue / "sst2" / "train.parquet"), keep_in_memory=True)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: {"train": local})
    script, posterior = BLOCKS[1:3]
    script = script.replace("microsoft/deberta-v3-base", str(encoder_path))
    script = script.replace("save_steps=100", "save_steps=100, use_cpu=True, disable_tqdm=True")
    run_block(script, tmp_path)
    first = va.open_run("runs/trainer")
    assert len(first.steps) == 300
    assert first.triplets(["kept"], -1)["kept"].sum() == 4 * 13
    weights = load_file("adapter/adapter_model.safetensors")
    resuming = script.replace("trainer.train()", "trainer.train(resume_from_checkpoint=True)")
    run_block(resuming, tmp_path)  # from step 300: nothing left to do
    again = load_file("adapter/adapter_model.safetensors")
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    names = {"model": loaded(encoder_path), "batch": next(batches(1))}
    names["batch"].pop("labels")
    exec(compile(posterior, "README.md", "exec"), names)
    torch.testing.assert_close(names["probabilities"].sum(-1), torch.ones(4))


def loaded(encoder: Path) -> Any:
    base = transformers.AutoModelForSequenceClassification.from_pretrained(encoder)
    return load_adapter(base, "adapter")


def test_the_loop_fits_in_ten_lines_and_the_trainer_script_in_25() -> None:
    for block, most in zip(BLOCKS, (11, 25), strict=False):
        code = [line for line in block.splitlines() if line.strip()]
        assert len(code) <= most


def test_every_command_named_exists() -> None:
    from vilora_analysis.cli import commands

    named = set(re.findall(r"^\| `vilora (\w+)", README, re.MULTILINE))
    known = {"demo", "train", "sweep", "runs", "analyze", "oracle", "scores", "check"}
    assert named >= {*known, "planted"}
    assert all(hasattr(commands, name.capitalize()) for name in named)


def test_every_picture_is_there() -> None:
    root = Path(__file__).parents[1]
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert all((root / picture).exists() for picture in pictures)
