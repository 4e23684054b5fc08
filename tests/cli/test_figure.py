"""``vilora figure``: the files of a figure, and what is said of runs that do not fit into one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.analysis.claims_world import HOLDS, build
from vilora_analysis.cli import main
from vilora_analysis.provenance import read_provenance

FILES = {
    *("ranks.png", "ranks.pdf", "ranks.csv", "ranks-entropy.csv"),
    *("ranks-strip.png", "ranks-strip.pdf", "ranks-strip.csv"),
    *("ranks-distances.png", "ranks-distances.pdf", "ranks-distances.csv"),
}


def test_the_figure_is_written_with_its_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = build(tmp_path / "runs", HOLDS, [0, 1], (("ivon", "snr"), ("adamw", "sensitivity")))
    out = tmp_path / "fig1"
    words = ["figure", "ranks", str(tmp_path / "runs"), "--out", str(out), "--animate", "--pooler"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == FILES | {"ranks.gif"}
    frame = pd.read_csv(out / "ranks.csv")
    assert frame["panel"].unique().tolist() == ["Adam, sensitivity", "IVON, label of snr"]
    assert set(frame["seeds"]) == {2}
    assert "Seeds of one method put" in said
    assert "no run of: ivon sensitivity, ivon snr_abs, ivon mean_abs, ivon inverse_std" in said
    made = read_provenance(out / "ranks.pdf")
    assert {run.name for run in made.runs} == {run.name for run in runs}
    assert made.command == ("vilora", *words)


def test_a_file_name_begins_those_of_all_files(tmp_path: Path) -> None:
    build(tmp_path / "runs", HOLDS, [0], (("ivon", "snr"),))
    out = tmp_path / "new" / "one.pdf"
    assert main(["figure", "ranks", str(tmp_path / "runs"), "--out", str(out), "--at", "2"]) == 0
    assert {path.name for path in out.parent.iterdir()} == {
        *("one.png", "one.pdf", "one.csv", "one-entropy.csv"),
        *("one-strip.png", "one-strip.pdf", "one-strip.csv"),  # of one method no distances
    }
    assert set(pd.read_csv(tmp_path / "new" / "one.csv")["step"]) == {2}


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(tmp_path / "runs", HOLDS, [0], (("ivon", "snr"),))
    assert main(["figure", "rank", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err == (
        "vilora: no figure 'rank'; did you mean ranks? there is: ranks\n"
    )
    build(tmp_path / "runs", HOLDS, [0], (("ivon", "snr"),), task="rte")
    assert main(["figure", "ranks", str(tmp_path / "runs"), "--out", str(tmp_path / "f")]) == 2
    assert "got runs of rte; sst2; give those of one" in capsys.readouterr().err
