"""What the commands print reaches whoever reads it: names as they are, and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vilora_analysis as va
from tests.log.synthetic import decision, manifest, write_posterior_run, write_run
from vilora_analysis.cli import main
from vilora_analysis.log import LogWriter, ModuleRow

SCRIPT = Path(sys.executable).with_name("vilora")
ODD = "[/b] run [bold]:x: " + "long " * 20


def test_names_with_brackets_stay_as_they_are_and_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_posterior_run(tmp_path / ODD / "[red]:x:", results={"note": "[/red]"}).path
    assert main(["analyze", str(run), "--out", str(tmp_path / "[/out]" / ODD)]) == 0
    shown = capsys.readouterr().out
    assert "[red]:x:" in shown.splitlines()
    assert "[/red]" in shown
    assert shown.splitlines()[-1].endswith(f"files in {tmp_path / '[/out]' / ODD}")
    assert main(["check", str(run)]) == 0
    assert capsys.readouterr().out == f"{run}: sound\n"


def test_a_problem_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / ODD).path
    (part,) = (run / "triplets").iterdir()
    part.write_bytes(b"[/b]")
    assert main(["check", str(run)]) == 1
    said, affected, remedy = capsys.readouterr().out.splitlines()
    assert said.startswith(f"{part}: is damaged")
    assert affected.startswith(f"{run}: affected: triplets, steps 1 to 5")
    assert "vilora check --repair" in remedy


def test_check_says_what_is_not_finished_and_finds_runs_at_any_depth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write_run(tmp_path / name).path for name in ("a", "b/c/d", "e/f")]
    described = json.loads((runs[1] / "run.json").read_text())
    (runs[1] / "run.json").write_text(json.dumps({**described, "status": "running"}))
    assert main(["check", str(tmp_path)]) == 0
    first, second, by_hand, third = capsys.readouterr().out.splitlines()
    assert (first, third) == (f"{runs[0]}: sound", f"{runs[2]}: sound")
    assert second.startswith(f"{runs[1]}: not finished: it ended after step 5")
    assert by_hand == f"{runs[1]}: run.json was changed by hand since it was written"


def test_a_run_that_recorded_nothing_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = [(step, {"lr": 0.1}) for step in (1, 2, 3)]
    run = write_run(tmp_path / "run", steps=(), every=50, metrics=metrics).path
    assert main(["analyze", str(run), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "one step in 50 is recorded, and the run took 3" in said


def analysed(run: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[set[str], str]:
    """Names of the files written, and what was printed."""
    assert main(["analyze", str(run), "--out", str(out)]) == 0
    written = {path.name for path in out.iterdir()} if out.exists() else set()
    return written, capsys.readouterr().out


def test_modules_outside_the_layers_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (ModuleRow("pooler.dense", "pooler.dense", None, 6),)
    run = write_posterior_run(tmp_path / "run", rows=rows).path
    written, said = analysed(run, tmp_path / "out", capsys)
    assert {"ranks.csv", "correlations.png", "theory.png"} <= written
    assert "ranks.png" not in written
    assert "no heatmap of ranks: no adapted matrix lies within a layer" in said


def test_a_run_without_modules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = LogWriter(tmp_path / "run", manifest((), criterion=None), triplets=None)
    log.metrics(1, {"loss": 1.0})
    log.close("finished")
    written, said = analysed(log.directory, tmp_path / "out", capsys)
    assert written == set()
    assert "no matrix was adapted, there are metrics only" in said


def test_lora_without_a_posterior(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(
        tmp_path / "run",
        factors="AB",
        inputs=("mu", "grad", "fisher_batch"),
        scores=("mean_abs", "sensitivity"),
        optimizer={"name": "AdamW"},
        criterion=None,
        kept=True,
    ).path
    written, said = analysed(run, tmp_path / "out", capsys)
    assert {"ranks.csv", "correlations.png", "correlations.csv"} <= written
    assert not {"ranks.png", "theory.png", "health.png"} & written
    assert "nothing was pruned, every matrix keeps its rank" in said
    assert "no theory: it needs a run trained with IVON" in said
    assert "no health: it needs a run trained with IVON" in said
    assert "\nposterior:" not in said


def test_the_verdict_on_the_posterior_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uniform = {f"sigma_{factor}": 0.1 for factor in "EAB"}
    run = write_posterior_run(tmp_path / "run", columns=uniform).path
    written, said = analysed(run, tmp_path / "out", capsys)
    assert {"health.png", "health.pdf", "health.csv", "health_over_time.parquet"} <= written
    (line,) = (line for line in said.splitlines() if line.startswith("posterior: "))
    assert line.startswith("posterior: sigma is uniform (coefficient of variation 0): snr ranks")
    assert line.endswith("How many elements hit the clip radius was not recorded.")


def test_decisions_have_shadows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {f"shadow_{what}" for what in ("overlap", "churn")}
    tables = {f"{name}.{suffix}" for name in names for suffix in ("parquet", "csv")}
    drawn = {f"{name}.{suffix}" for name in names for suffix in ("png", "pdf")}
    pruned = [decision(step, budget=20 - step) for step in (3, 4, 5)]
    run = write_run(tmp_path / "pruned", events=pruned).path
    written, _ = analysed(run, tmp_path / "a", capsys)
    assert tables | drawn <= written
    run = write_run(tmp_path / "whole", kept=True, events=[decision(3, budget=20)]).path
    written, said = analysed(run, tmp_path / "b", capsys)
    assert tables <= written
    assert not drawn & written
    assert "no figure of shadow_overlap: nothing, or everything, was pruned" in said
    assert "no figure of shadow_churn: a single decision was recorded" in said
    written, said = analysed(write_run(tmp_path / "none").path, tmp_path / "c", capsys)
    assert not (tables | drawn) & written
    assert "no shadow: it needs two scores, and a decision at a recorded step" in said


def test_what_an_older_analysis_left_is_removed_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    before, _ = analysed(write_posterior_run(tmp_path / "ivon").path, out, capsys)
    (out / "theory.md").write_text("mine")
    plain = write_run(tmp_path / "adamw", kept=True).path
    after, said = analysed(plain, out, capsys)
    gone = {f"{stem}.{s}" for stem in ("theory", "health", "ranks") for s in ("png", "pdf")}
    tables = ("theory", "theory_points", "health", "health_over_time")
    gone |= {f"{stem}.{s}" for stem in tables for s in ("csv", "parquet")}
    assert after == before - (gone & before) | {"theory.md"}
    assert not after & (gone - {"ranks.csv", "ranks.parquet"})
    assert f"removed {out / 'theory.png'}, which an older analysis left" in said
    (out / "theory.pdf").write_bytes(b"somebody's own: it has no table beside it")
    analysed(plain, out, capsys)
    assert (out / "theory.pdf").exists()


def test_one_run_without_steps_does_not_keep_the_others_from_being_analysed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "runs" / "a", steps=())
    write_run(tmp_path / "runs" / "b")
    assert main(["analyze", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 2
    assert "a: not analysed" in capsys.readouterr().out
    assert (tmp_path / "out" / "b" / "ranks.png").exists()


def test_a_part_that_is_there_twice_is_a_plain_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run").path
    (part,) = (run / "triplets").iterdir()
    part.with_name(part.name.replace("000000", "000001", 1)).write_bytes(part.read_bytes())
    assert main(["analyze", str(run), "--out", str(tmp_path / "out")]) == 2
    assert "repeats steps of part-000000" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["scores"], ["--help"], ["analyze", "{run}", "--out", "{out}"]])
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, words: list[str]) -> None:
    run = write_posterior_run(tmp_path / "run").path
    filled = [word.format(run=run, out=tmp_path / "out") for word in words]
    reader, writer = os.pipe()
    os.close(reader)  # gone before the first line, as head -0 is
    done = subprocess.run([SCRIPT, *filled], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    if words[0] == "analyze":  # the work is done to the end
        assert (tmp_path / "out" / "theory.pdf").exists()


@pytest.mark.parametrize("words", [["scores"], ["scores", "--help"], ["train", "--help"]])
def test_an_encoding_without_greek_is_no_error(words: list[str]) -> None:
    narrow = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([SCRIPT, *words], env=narrow, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.isascii()


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import vilora_analysis as va
from vilora_analysis.cli import main
for name in ("instrument", "train", "sampled_parameters", "VILoRACallback"):
    try:
        getattr(va, name)
    except va.ViloraError as error:
        print(isinstance(error, ImportError), error)
print(main(["demo", "--out", sys.argv[1]]))
"""


def test_without_torch_the_extra_that_brings_it_is_named(tmp_path: Path) -> None:
    words = [sys.executable, "-c", WITHOUT_TORCH, tmp_path / "demo"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    remedy = "'torch' is not installed; install it with: pip install \"vilora-analysis[train]\""
    *names, status = done.stdout.splitlines()[:4] + done.stdout.splitlines()[-1:]
    assert names == [f"True {remedy}"] * 4
    assert status == "2"
    assert done.stderr.endswith(f"vilora: {remedy}\n")
    assert "Traceback" not in done.stderr


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vilora {va.__version__}\n"
