"""``vilora bench``: what is shown and written, from made-up steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.analysis.speed_steps import KNOWN, steps
from vilora_analysis import analysis
from vilora_analysis.cli import main
from vilora_analysis.probes.speed import SpeedQuestion
from vilora_analysis.probes.speed.measure import Measured

MACHINE = {
    "device": "cpu", "cpu": "A CPU", "cores": 2, "threads": 1, "torch": "2", "load_before": 0.5,
    "load_after": 0.75, "model": "somewhere/encoder", "task": "sst2", "batch_size": 16,
    "clock": "cpu", "triplets": 222,
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SpeedQuestion]:
    monkeypatch.setenv("COLUMNS", "160")
    questions: list[SpeedQuestion] = []
    writing = pd.DataFrame(
        {"variant": ["IVON snr, recorded"], "steps": [60], "seconds": [0.02], "bytes": [90_000]}
    )

    def measure(question: SpeedQuestion, **_: Any) -> Measured:
        questions.append(question)
        return Measured(steps(KNOWN, noise=0.01), writing, pd.DataFrame([MACHINE]))

    monkeypatch.setattr("vilora_analysis.probes.speed.measure.measure", measure)
    return questions


def test_tables_and_the_verdict_are_shown_and_written(
    asked: list[SpeedQuestion], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench"
    words = ["bench", "--task", "sst2", "--steps", "90", "--criteria", "mean_abs", "--threads", "1"]
    assert main([*words, "--allocate-every", "5", "--out", str(out)]) == 0
    (question,) = asked
    assert (question.steps, question.criteria, question.threads) == (90, ("mean_abs",), 1)
    shown = capsys.readouterr().out
    frame = steps(KNOWN, noise=0.01)
    assert analysis.speed_verdict(analysis.speed_effects(frame, 5), 5) in shown
    row = (
        analysis.speed_summary(frame, 5).set_index(["variant", "when"]).loc[("IVON snr", "average")]
    )
    assert f"{row['ratio']:.3f}" in shown
    assert "IVON snr, recorded: writing out 60 recorded steps (90 kB)" in shown
    assert "A CPU, 2 cores, 1 thread, processor's time, torch 2, load average 0.5 to 0.8" in shown
    assert "encoder on sst2, batch 16, 222 triplets" in shown
    tables = ("steps", "summary", "split", "effects", "writing", "machine")
    names = {f"bench_{table}.{suffix}" for table in tables for suffix in ("parquet", "csv")}
    assert {path.name for path in out.iterdir()} == names | {"bench.png", "bench.pdf"}
    assert pd.read_parquet(out / "bench_machine.parquet")["cpu"].tolist() == ["A CPU"]
    assert len(pd.read_csv(out / "bench_steps.csv")) == len(frame)
    assert main(["provenance", str(out / "bench.png")]) == 0
    assert "vilora bench --task sst2" in capsys.readouterr().out


def test_without_a_folder_nothing_is_written(
    asked: list[SpeedQuestion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bench"]) == 0
    assert asked == [SpeedQuestion()]
    assert not list(tmp_path.iterdir())


def test_a_mistake_is_one_line(
    asked: list[SpeedQuestion], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["bench", "--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith("vilora: cannot write to ")
    assert main(["bench", "--criteria", "snrr"]) == 2
    assert "snrr" in capsys.readouterr().err
    assert not asked


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    assert "Example: vilora bench" in capsys.readouterr().out
