"""Runs as one thing: found, named, chosen, shown; what is broken hides nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.log.synthetic import decision, flip_bit, parts_of, write_run
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, Runs, open_runs, run_directories

LOSS = [(step, {"loss": 1.0 / step}) for step in range(1, 4)]


def settled(path: Path, **config: Any) -> Path:
    return write_run(
        path,
        steps=(1, 2),
        config=config,
        metrics=LOSS,
        events=[decision(2, n_kept=9)],
        results={"accuracy": 0.75, "ece": 0.1},
    ).path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for task in ("sst2", "rte"):
        for seed in (0, 1):
            settled(folder / f"{task}-{seed}", task=task, seed=seed)
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> Runs:
    return open_runs(folder)


def test_runs_are_a_sequence_with_names(runs: Runs, folder: Path) -> None:
    assert runs.names == ("rte-0", "rte-1", "sst2-0", "sst2-1")
    assert [run.name for run in runs] == [*runs.names]
    assert len(runs) == 4
    assert runs["sst2-1"].path == runs[3].path == runs[-1].path == folder / "sst2-1"
    assert runs[1:3].names == ("rte-1", "sst2-0")
    assert runs._ipython_key_completions_() == [*runs.names]
    assert repr(runs) == "Runs(4: rte-0, rte-1, sst2-0, sst2-1)"


def test_runs_are_chosen_by_their_settings(runs: Runs) -> None:
    assert runs.where(task="sst2", seed=0).names == ("sst2-0",)
    assert runs.where(seed=[0, 7]).names == ("rte-0", "sst2-0")
    assert runs.where(criterion="snr").names == runs.names
    assert runs.where().names == runs.names
    assert runs.where(task="sst2").where(seed=1).names == ("sst2-1",)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tsk": "rte"}, r"no run has a setting 'tsk'; did you mean task\? there is: criterion, "),
        (
            {"task": "sst"},
            r"no run has task 'sst'; did you mean sst2\? there is: rte, sst2",
        ),
        ({"seed": [8, 9]}, r"no run has seed 8 or 9; there is: 0, 1"),
    ],
)
def test_what_no_run_has_is_said_with_what_is_near(
    runs: Runs, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(LogError, match=said):
        runs.where(**settings)


def test_a_wrong_name_is_met_with_near_ones(runs: Runs, folder: Path) -> None:
    with pytest.raises(LogError, match=r"no run named 'sst2-9'; did you mean sst2-1"):
        runs["sst2-9"]
    with pytest.raises(IndexError):
        runs[4]
    with pytest.raises(LogError, match=rf"no directory .*; did you mean {folder.name}[?,]"):
        open_runs(folder.with_name(f"{folder.name}x"))
    (folder / "empty").mkdir(exist_ok=True)
    with pytest.raises(LogError, match=r"no runs in .*empty"):
        open_runs(folder / "empty")
    with pytest.raises(LogError, match="no runs in no directory"):
        open_runs()


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [settled(tmp_path / name) for name in ("a/x/run", "b/x/run", "b/y/run", "b/other")]
    runs = open_runs(*paths, tmp_path)  # each once, however often it is named
    assert runs.names == ("a/x/run", "b/x/run", "y/run", "other")
    assert runs["y/run"].path == paths[2]


def test_a_broken_run_is_shown_and_hides_no_other(tmp_path: Path) -> None:
    good, damaged = settled(tmp_path / "good", task="rte"), settled(tmp_path / "damaged")
    flip_bit(parts_of(damaged, "metrics")[0], 40)
    settled(tmp_path / "bad").joinpath("run.json").write_text("{")
    (tmp_path / "failed").mkdir()
    (tmp_path / "failed" / "error.txt").write_text("ConfigError: no <b>task</b>\ntraceback")
    runs = open_runs(tmp_path)
    assert [run.path for run in runs] == [damaged, good]
    assert list(runs.broken) == ["bad", "failed"]
    assert "2 broken" in repr(runs)
    html = runs._repr_html_()
    assert "no &lt;b&gt;task&lt;/b&gt;" in html
    assert "finished; " in html
    assert "metrics/part-" in html
    assert "2 cannot be read" in html
    assert "accuracy 0.75" in html
    with pytest.raises(LogError, match=r"bad cannot be read: .*run\.json"):
        runs["bad"]
    assert "is damaged" in Run(damaged)._repr_html_()


def test_one_table_shows_them_all(runs: Runs) -> None:
    html = runs._repr_html_()
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in html.split("<tr>")[2:]]
    assert [row[:6] for row in cells] == [
        [f"{task}-{seed}", "finished", task, "snr", str(seed), "accuracy 0.75"]
        for task in ("rte", "sst2")
        for seed in (0, 1)
    ]
    assert all("loss over steps 1 to 3: 1 at first, 0.3333 at last" in row[6] for row in cells)
    assert {row[7] for row in cells} == {"9 of 20"}


def test_what_comes_from_runs_is_escaped_and_long_tables_are_cut(tmp_path: Path) -> None:
    evil = "<script>alert('1')</script>"
    path = write_run(
        tmp_path / "<i>run", steps=(1,), config={"task": evil, "seed": evil}, results={evil: evil}
    ).path
    run = Run(path)
    html = Runs({f"{evil}{i}": run for i in range(70)}, {evil: evil})._repr_html_()
    assert "<script" not in html
    assert "<i>" not in html
    assert "70 runs" in html
    assert "and 10 more" in html


def test_directories_are_found_once_in_the_order_of_the_paths(folder: Path) -> None:
    found = run_directories([folder / "sst2-1", folder])
    assert [path.name for path in found] == ["sst2-1", "rte-0", "rte-1", "sst2-0"]
