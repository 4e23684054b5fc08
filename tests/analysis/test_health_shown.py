"""A run shows the verdict on its health, or why there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.analysis.health_runs import opened, planted, written
from tests.log.synthetic import damage_column, parts_of, write_run
from vilora_analysis.analysis import Verdict, posterior_facts
from vilora_analysis.log import open_run


def test_a_run_shows_its_verdict(tmp_path: Path) -> None:
    assert (
        '<td style="text-align:left">sigma is uniform'
        in opened(tmp_path, planted(0.1))._repr_html_()
    )
    plain = open_run(write_run(tmp_path / "plain").path)
    assert "posterior" not in plain._repr_html_()


def test_it_does_so_whoever_opened_it(tmp_path: Path) -> None:
    shown = "import sys, vilora_analysis as va; print(va.open_run(sys.argv[1])._repr_html_())"
    words = [sys.executable, "-c", shown, written(tmp_path, planted(0.1)).path]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert "sigma is uniform" in done.stdout


def test_what_cannot_be_read_is_said_there_too(tmp_path: Path) -> None:
    log = written(tmp_path, planted(0.1))
    run = open_run(log.path)
    assert run.steps.tolist() == [1, 2, 3]
    damage_column(parts_of(log.path)[0], "sigma_A")
    said = posterior_facts(run)["posterior"]
    assert said.startswith("cannot be judged: ")
    assert "is damaged" in said


def test_a_verdict_is_one_text() -> None:
    assert str(Verdict("uniform", ("One.", "Two."))) == "One. Two."
