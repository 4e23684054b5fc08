"""The commands as a user meets them: results, exit statuses, and one plain line for a mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import vilora_analysis as va
from tests.log.synthetic import write_run
from vilora_analysis.cli import main

COMMANDS = (
    *("demo", "train", "analyze", "audit", "scores", "check", "fisher", "oracle", "claims"),
    *("planted", "sweep", "runs", "provenance", "figure"),
)


@pytest.fixture(scope="module")
def trained(encoder_path: Path, glue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    words = (
        f"train --task sst2 --data-dir {glue} --model {encoder_path} --out {out} --steps 20 "
        "--batch-size 6 --init-rank 3 --target-rank 2 --max-length 24"
    )
    assert main(words.split()) == 0
    return out


def test_train_ends_with_a_summary(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(trained), "--out", str(trained.parent / "a")]) == 0
    shown = capsys.readouterr().out
    for expected in (
        "accuracy",
        "26 triplets after 9 decisions",
        "Spearman correlation",
        "snr_abs",
    ):
        assert expected in shown


def test_analyze_writes_tables_and_figures(trained: Path, tmp_path: Path) -> None:
    assert main(["analyze", str(trained), "--out", str(tmp_path)]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    for stem in ("ranks", "correlations", "theory"):
        assert {f"{stem}.{s}" for s in ("parquet", "csv", "png", "pdf")} <= names
    ranks = pd.read_parquet(tmp_path / "ranks.parquet")
    assert ranks["rank"].sum() == 26
    table = pd.read_csv(tmp_path / "correlations.csv")
    assert {"spearman", "kendall", "pearson"} == set(table["method"])
    assert {"all", "W_q", "W_f2"} <= set(table["group"])
    over_time = pd.read_parquet(tmp_path / "correlations_over_time.parquet")
    assert over_time["step"].nunique() == 20


def test_analyze_takes_a_folder_of_runs(trained: Path, tmp_path: Path) -> None:
    assert main(["analyze", str(trained.parent), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "ranks.png").exists()


def test_check_finds_nothing_in_a_sound_run(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(trained)]) == 0
    assert "sound" in capsys.readouterr().out


def test_check_names_the_damaged_part(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    part = next((copy / "triplets").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-100])
    assert main(["check", str(copy)]) == 1
    assert part.name in capsys.readouterr().out.replace("\n", "")
    assert main(["analyze", str(copy), "--out", str(tmp_path / "a")]) == 2


def test_scores_lists_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scores"]) == 0
    shown = capsys.readouterr().out
    for name in va.scores.names():
        assert name in shown
    assert "SNR_mean_abs = snr_abs" in shown.replace("\n", "")


def test_the_log_carries_the_run_but_no_paths(trained: Path, glue: Path) -> None:
    text = (trained / "run.json").read_text()
    assert str(glue) not in text
    assert str(trained) not in text
    part = next((trained / "triplets").glob("*.parquet"))
    fields = pq.read_schema(part)
    assert fields.field("score.snr").metadata[b"source"].startswith(b"VILoRA")


MISTAKES = {
    "": "Expected one of {train, demo, analyze",
    "trian": "Unrecognized options: trian",
    "train --stepz 3": "did you mean --steps?",
    "train --steps many": "--steps",
    "train --optimizer adam": "optimizer 'adam' is neither 'ivon' nor 'adamw'",
    "train --task sst": "did you mean sst2?",
    "train --criterion snrr": "did you mean snr?",
    "train --optimizer adamw --criterion snr": "needs a posterior",
    "train --steps 10 --tinit 8": "no step is left to allocate in",
    "train --target-rank 9": "lower target_rank or raise init_rank",
    "train --task sst2 --data-dir nowhere": "no folder nowhere",
    "train --model nowhere/model --steps 20 --out {tmp}/x": "cannot load model",
    "analyze": "name at least one run directory",
    "analyze nowhere": "no run directory nowhere",
    "analyze {tmp}": "no run in",
    "check nowhere": "no run directory nowhere",
    "analyze {run} --out {run}/run.json": "cannot write to",
    "train --model {model} --data-dir {glue} --task sst2 --out {run} --steps 20": "holds a run",
}


@pytest.mark.parametrize("words", list(MISTAKES))
def test_a_mistake_gives_a_plain_line_and_status_2(
    words: str,
    trained: Path,
    encoder_path: Path,
    glue: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"run": trained, "model": encoder_path, "glue": glue, "tmp": tmp_path}
    assert main([word.format(**places) for word in words.split()]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("vilora: ")
    assert MISTAKES[words] in said
    assert len(said.splitlines()) <= 2
    assert "Traceback" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"Example: vilora {command}" in capsys.readouterr().out


def test_the_installed_command_answers() -> None:
    script = Path(sys.executable).with_name("vilora")
    answer = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    assert all(command in answer.stdout for command in COMMANDS)


def test_interrupting_is_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(command: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("vilora_analysis.cli.run.run_command", interrupt)
    assert main(["scores"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_run_without_the_theorys_scores_is_analysed_without_theory(
    tmp_path: Path,
) -> None:
    run = write_run(tmp_path / "run", inputs=("mu", "sigma"))
    assert main(["analyze", str(run.path), "--out", str(tmp_path / "a")]) == 0
    assert not (tmp_path / "a" / "theory.png").exists()
    assert (tmp_path / "a" / "correlations.png").exists()


def test_a_run_without_steps_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", steps=())
    assert main(["analyze", str(run.path), "--out", str(tmp_path / "a")]) == 2
    assert "no recorded steps" in capsys.readouterr().err


def test_an_error_while_training_starts_on_its_own_line(
    encoder_path: Path, glue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        f"train --task sst2 --data-dir {glue} --model {encoder_path} --out {tmp_path / 'run'} "
        "--steps 20 --batch-size 6 --init-rank 3 --target-rank 2 --lr 1e30"
    )
    assert main(words.split()) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("vilora: ")
    assert "at step" in last
    assert va.open_run(tmp_path / "run").manifest.status == "failed"
