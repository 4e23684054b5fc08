"""From plant to answer on a tiny encoder: learnt, recorded, resumed, told by the command."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import tiny_bert
from tests.tiny_data import WORDS
from vilora_analysis.analysis import planted_found
from vilora_analysis.cli import main
from vilora_analysis.errors import LogError
from vilora_analysis.log import check_run
from vilora_analysis.log.planted import PlantedFiles
from vilora_analysis.probes.planted import PlantedTask
from vilora_analysis.probes.planted import run as running
from vilora_analysis.probes.planted.run import run_planted


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder whose attention does something."""
    folder = tmp_path_factory.mktemp("planted-encoder")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    model = tiny_bert()
    with torch.no_grad():
        for module in model.bert.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.mul_(12)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences of many words in many orders, as a task of GLUE."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "sst2").mkdir()
    generator = torch.Generator().manual_seed(0)
    for split, rows in {"train": 96, "validation": 40}.items():
        drawn = torch.randint(len(WORDS), (rows, 8), generator=generator).tolist()
        sentences = [" ".join(WORDS[i] for i in row) for row in drawn]
        frame = pd.DataFrame({"sentence": sentences, "label": 0})
        frame.to_parquet(folder / "sst2" / f"{split}.parquet")
    return folder


def task(path: Path, texts: Path, **changes: Any) -> PlantedTask:
    small = {"modules": 2, "init_rank": 2, "steps": 40, "batch_size": 8, "record_every": 20}
    known = {"model": str(path), "texts": "sst2", "data_dir": texts, "held_out": 12, "lr": 20.0}
    return PlantedTask(**{**small, **known, "effect": 0.03, **changes})


@pytest.fixture(scope="module")
def made(path: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> va.Run:
    return run_planted(task(path, texts), tmp_path_factory.mktemp("made"), progress=False)


def test_the_student_learns_and_everything_is_recorded(made: va.Run) -> None:
    results = made.manifest.results
    assert results["loss_start"] == pytest.approx(1.0, abs=0.5)
    assert results["loss"] < 0.5 * results["loss_start"]
    assert made.manifest.status == "finished"
    assert made.manifest.criterion is None
    assert made.steps.tolist() == [20, 40]
    assert {"snr", "sensitivity", "triplet_norm", "random"} <= set(made.score_names)
    assert len(made.metrics()) == 40
    assert check_run(made.path) == []


def test_what_was_planted_is_written_beside_it(made: va.Run) -> None:
    files = PlantedFiles(made.path)
    modules, asked = files.modules(), files.triplets()
    assert len(modules) == 12  # the pooler is left out, the outputs do not depend on it
    assert (modules["planted"] > 0).sum() == 2
    assert len(asked) == made.manifest.n_triplets == 24
    assert asked["effect"].max() > 0
    assert files.settings()["effect"] == 0.03
    assert "data_dir" not in files.settings()
    found = planted_found(made, multiples=[1])
    assert set(found["score"]) == {*made.score_names, "oracle", "chance"}


def test_what_is_done_is_left_alone_and_what_is_not_begins_anew(
    made: va.Run, path: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = running.without_each

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "without_each", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_planted(task(path, texts), tmp_path, progress=False)
    assert [child.name for child in tmp_path.iterdir()] == [".seed-0.unfinished"]
    monkeypatch.setattr(running, "without_each", ask)
    again = run_planted(task(path, texts), tmp_path, progress=False)
    assert [child.name for child in tmp_path.iterdir()] == ["seed-0"]
    # the same task gives the same run
    assert again.triplets(steps=-1).equals(made.triplets(steps=-1))
    for name in ("modules", "triplets"):
        first, second = (getattr(PlantedFiles(run.path), name)() for run in (made, again))
        assert first.equals(second)
    monkeypatch.setattr(running, "open_classroom", interrupted)
    run_planted(task(path, texts), tmp_path, progress=False)
    with pytest.raises(LogError, match=r"made with other settings \(effect 0.03, not 0.01\)"):
        run_planted(task(path, texts, effect=0.01), tmp_path, progress=False)


def test_adamw_has_scores_without_a_posterior(path: Path, texts: Path, tmp_path: Path) -> None:
    run = run_planted(
        task(path, texts, optimizer="adamw", lr=None, steps=20), tmp_path, progress=False
    )
    assert "snr" not in run.score_names
    assert "sensitivity" in run.score_names
    assert run.manifest.results["loss"] < run.manifest.results["loss_start"]


def test_the_command_goes_on_counts_and_draws(
    made: va.Run, path: Path, texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = made.path.parent
    asked = dataclasses.asdict(task(path, texts))
    words = [w for n, v in asked.items() for w in (f"--{n.replace('_', '-')}", str(v))]
    assert main(["planted", "--out", str(out), "--seeds", "2", *words]) == 0
    said = capsys.readouterr().out
    assert "Over 2 seeds, " in said
    assert "Held-out distillation loss" in said
    assert "14 files in" in said
    names = {file.name for file in (out / "planted").iterdir()}
    assert {"planted_found.csv", "planted_recall.png", "planted_heatmap.pdf"} <= names
    summary = pd.read_parquet(out / "planted" / "planted_summary.parquet")
    assert (summary["seeds"] == 2).all()
    assert main(["planted", "--out", str(out), "--seeds", "0"]) == 2
    assert "seeds = 0: ask for 1 to " in capsys.readouterr().err
