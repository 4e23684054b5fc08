"""``vilora sweep`` and ``vilora runs`` as a user meets them; tests/sweeps has whole sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.log.synthetic import manifest
from vilora_analysis.cli import main
from vilora_analysis.sweeps.grid import expand


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.toml").write_text('out = "runs"\n[grid]\nseed = [0, 1, 2]\n')


def leave(seed: int, **known: Any) -> Path:
    raw = {"out": "runs", "grid": {"seed": [seed]}}
    cell = expand(raw, "my.toml").cells[0]
    cell.path.mkdir(parents=True)
    manifest(**{"config": cell.config.as_dict(), **known}).save(cell.path)
    return cell.path


def finish(seed: int) -> Path:
    times = {"created": "2026-01-02T03:04:05+00:00", "finished": "2026-01-02T05:05:05+00:00"}
    results = {"accuracy": 0.87654, "budget_kept": 9}
    return leave(seed, status="finished", results=results, **times)


def test_a_dry_run_lists_runs_and_states_and_starts_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    finish(0)
    (leave(1) / "error.txt").write_text("no [memory]")
    assert main(["sweep", "my.toml", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "acceptability-adalora-ivon-snr-0  finished",
        "acceptability-adalora-ivon-snr-1  failed  no [memory]",
        "acceptability-adalora-ivon-snr-2  not started",
        "3 runs, 1 to run",
    ]
    assert not Path("runs/acceptability-adalora-ivon-snr-2").exists()


def test_a_shipped_grid_can_be_given_another_place(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sweep", "systems", "--dry-run", "--out", "elsewhere", "--data-dir", "glue"]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "40 runs, 40 to run"


def test_a_grid_that_is_done_needs_no_cluster(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (0, 1, 2):
        finish(seed)
    monkeypatch.setattr(
        "vilora_analysis.sweeps.cluster.open_cluster", lambda _: pytest.fail("it was opened")
    )
    assert main(["sweep", "my.toml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "3 runs in runs: 3 finished before, 0 to run",
        "3 finished",
    ]


def test_failed_runs_are_named_and_make_the_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    finish(0)
    finish(1)
    (leave(2) / "error.txt").write_text("no [memory]")
    assert main(["sweep", "my.toml"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == (
        "acceptability-adalora-ivon-snr-2  failed before, left alone without --retry-failed: "
        "no [memory]"
    )
    assert said[2] == "2 finished, 1 failed"


def test_runs_shows_every_run_and_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    finish(0)
    (leave(1) / "error.txt").write_text("no [memory]")
    path = Path("runs/broken[1]")
    path.mkdir()
    (path / "run.json").write_text("{")
    assert main(["runs", ".", "--csv", "tables/all.csv"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "task acceptability, method adalora, optimizer ivon, criterion snr"
    assert said[1].split() == ["run", "state", "seed", "steps", "accuracy", "time"]
    assert said[2].split() == [
        *("acceptability-adalora-ivon-snr-0", "finished", "0", "0", "0.8765"),
        *("2", "h", "01", "min"),
    ]
    assert said[3].split() == ["acceptability-adalora-ivon-snr-1", "failed", "1", "0"]
    assert said[4].split() == ["broken[1]", "unreadable", "0"]
    assert said[5].endswith("snr-1: no [memory]")
    assert said[-1] == "3 rows in tables/all.csv"
    frame = pd.read_csv("tables/all.csv")
    assert frame["state"].tolist() == ["finished", "failed", "unreadable"]
    assert frame["budget_kept"][0] == 9


MISTAKES = {
    "sweep": "Missing from vilora sweep: GRID.toml",
    "sweep nowhere.toml": "no file nowhere.toml, and no shipped grid; Shipped: claims, systems",
    "sweep tabel1": "did you mean table1?",
    "sweep my.toml --workers 0": "workers = 0: must be at least 1",
    "sweep my.toml --cluster slurmm": "Expected one of ('local', 'slurm', 'sge', 'pbs')",
    "sweep my.toml --queue long": "queue is for a batch system",
    "sweep my.toml --scheduler here": "scheduler is an address as tcp://host:8786; got 'here'",
    "sweep bad.toml": "bad.toml, [fixed]: steps is a whole number; got 'many'",
    "runs": "name at least one folder",
    "runs nowhere": "no directory nowhere",
    "runs empty": "no runs below empty",
    "runs runs --csv my.toml/x.csv": "cannot write my.toml/x.csv",
}


@pytest.mark.parametrize("words", list(MISTAKES))
def test_a_mistake_gives_a_plain_line_and_status_2(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(0)
    Path("empty").mkdir()
    Path("bad.toml").write_text('out = "x"\n[fixed]\nsteps = "many"\n')
    assert main(words.split()) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("vilora: ")
    assert MISTAKES[words] in said
    assert len(said.splitlines()) == 1


def test_another_configuration_in_the_same_place_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    finish(0)
    Path("my.toml").write_text('out = "runs"\n[fixed]\nsteps = 60\n[grid]\nseed = [0]\n')
    assert main(["sweep", "my.toml", "--dry-run"]) == 2
    assert "steps: 600 there, 60 now" in capsys.readouterr().err
