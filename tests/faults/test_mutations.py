"""Manifests and sweeps' files that went wrong: a plain line or the right numbers, never else."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vilora_analysis as va
from tests.faults.mutate import mutated_json, mutated_toml
from tests.faults.soak import count
from tests.log.synthetic import decision, write_posterior_run
from vilora_analysis.cli import main
from vilora_analysis.errors import ViloraError
from vilora_analysis.log import check_run
from vilora_analysis.sweeps import read_grid

SWEEP: dict[str, Any] = {
    "out": "runs/mine",
    "fixed": {"task": "acceptability", "steps": 60, "lr": 5, "scores": ["default"], "bf16": False},
    "grid": {"seed": [0, 1], "criterion": ["snr", "mean_abs"]},
    "systems": [{"optimizer": "ivon"}, {"optimizer": "ivon", "beta2": [0.9, 0.98]}],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mutations") / "run"
    metrics = [(step, {"loss": 1.0 / step, "lr": 0.1}) for step in range(1, 6)]
    write_posterior_run(path, events=[decision(3)], metrics=metrics, results={"accuracy": 0.5})
    return path


def numbers(run: va.Run) -> Any:
    """What an analysis reads."""
    rows = run.triplets(["step", "module", "k", "kept", "score.snr"])
    blocks = [block.steps.tolist() for block in run.blocks(["score.snr"])]
    triplets = run.modules[["module", "k"]].to_numpy().tolist()
    return rows.to_numpy().tolist(), blocks, triplets


def test_a_mutated_manifest_is_refused_or_read_right(run: Path) -> None:
    """What opens, and is sound to ``vilora check``, has the numbers and triplets it had."""
    manifest = run / "run.json"
    raw, truth = manifest.read_bytes(), repr(numbers(va.open_run(run)))
    generator, outcomes = np.random.default_rng(0), Counter[str]()
    try:
        for _ in range(count(150, 10_000)):
            manifest.write_bytes(mutated_json(raw, generator))
            problems = check_run(run)
            try:
                opened = va.open_run(run)
                opened._repr_html_()
                same = repr(numbers(opened)) == truth
            except ViloraError as error:
                outcomes["refused" if str(error) else "refused without a word"] += 1
                continue
            assert same or problems, manifest.read_text()
            outcomes["found" if problems else "harmless"] += 1
    finally:
        manifest.write_bytes(raw)
    assert {*outcomes} <= {"refused", "found", "harmless"}
    assert min(outcomes["refused"], outcomes["harmless"]) > 10, outcomes


@pytest.mark.parametrize("words", ["check", "runs", "analyze", "table"])
def test_commands_say_in_a_line_what_is_wrong_with_a_manifest(
    words: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("vilora_analysis.figures.save", lambda figure, path, **_: [])
    monkeypatch.chdir(tmp_path)
    copied = tmp_path / "runs" / "run"
    shutil.copytree(run, copied)
    raw, generator = (copied / "run.json").read_bytes(), np.random.default_rng(len(words))
    for _ in range(count(8 if words == "analyze" else 25, 2_000)):
        (copied / "run.json").write_bytes(mutated_json(raw, generator))
        assert main([words, str(copied)]) in (0, 1, 2)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert "\x1b" not in said.out + said.err
        assert "\0" not in said.out + said.err
    made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert made <= {"runs", "analysis"}


def test_a_mutated_sweep_is_refused_or_means_what_it_says(tmp_path: Path) -> None:
    generator, outcomes = np.random.default_rng(1), Counter[str]()
    file = tmp_path / "mine.toml"
    for _ in range(count(850, 50_000)):
        file.write_bytes(mutated_toml(SWEEP, generator))
        try:
            grid = read_grid(file)
        except ViloraError as error:
            outcomes["refused" if len(str(error)) < 2_000 else "refused at length"] += 1
            continue
        outcomes["read"] += 1
        names = [cell.name for cell in grid.cells]
        assert len({*names}) == len(names) > 0
        for cell in grid.cells:
            assert cell.path.parent == (Path.cwd() / grid.out)
            assert os.sep not in cell.name
    assert {*outcomes} == {"refused", "read"}
    assert min(outcomes.values()) > 20, outcomes


def test_a_mutated_sweep_starts_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(2)
    for _ in range(count(60, 5_000)):
        Path("mine.toml").write_bytes(mutated_toml(SWEEP, generator))
        status = main(["sweep", "mine.toml", "--dry-run"])
        said = capsys.readouterr()
        assert status in (0, 2)
        assert bool(said.err) == (status == 2)
        assert "Traceback" not in said.err
        assert len(said.err.splitlines()) <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


DEEP = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP,
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP,
        "1" * 100_000,
        json.dumps({"schema_version": 1, "every": 10**4000}),
        '{"schema_version": 1e999}',
        '{"config": {"task": "\\ud800"}}',
        "\ufeff{}",
        "",
        "null",
        "[]",
        '"text"',
    ],
    ids=lambda text: f"{text[:20]} {len(text)}",
)
def test_bombs_in_a_manifest_are_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(text)
    assert main(["analyze", str(tmp_path)]) == 2
    assert "run.json" in capsys.readouterr().err
    assert main(["check", str(tmp_path)]) == 1
    assert main(["runs", str(tmp_path)]) == 0
    assert "unreadable" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = " + "[" * DEEP + "]" * DEEP, "nested too deeply"),
        ("a = " + "{b=" * 5000 + "1" + "}" * 5000, "nested too deeply"),
        ("a" + ".a" * 300 + " = 1", "nested too deeply"),
        ('out="x"\n[fixed]\nsteps = ' + "9" * 5000, "is not TOML"),
        ('out="x"\n[fixed]\nsteps = 0x' + "f" * 50_000, "beyond 2^63"),
        ('out="x"\n[fixed]\nsteps = 9999999999', "must be below 2^31"),
        (
            f'out="x"\n[grid]\nseed = {[*range(1000)]}\nsteps = {[*range(1, 1001)]}\n'
            f"batch_size = {[*range(1, 1001)]}",
            "1,000,000,000 runs",
        ),
        ("#" * 1_000_001, "more than 1000000 bytes"),
        (
            'out="x"\n[fixed]\ntask = "../../evil"\ntrain_file = "a.csv"\nvalidation_file="a.csv"\n'
            'text_columns = ["a"]',
            "names the run's folder",
        ),
        (f'out="x"\n[fixed]\n[grid]\nlabel_column = ["{"a" * 300}"]', "shorten what varies"),
        (f'out="{"a" * 300}"', "cannot be a folder"),
        ('out="a\\u0000b"', "a\\x00b/acc"),
    ],
    ids=lambda value: value[:24],
)
def test_bombs_in_a_sweep_are_refused(
    text: str,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bomb.toml").write_text(text)
    assert main(["sweep", "bomb.toml", "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert len(said) < 1_000
