"""Writing a report: the same twice, and plain words where there is nothing to show."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from pickle import PicklingError
from typing import Any

import pytest
from matplotlib.figure import Figure

from tests.log.synthetic import decision, write_run
from tests.report.pages import parsed, posterior_run
from vilora_analysis.cli import main
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, open_run
from vilora_analysis.report import drawing_process, report_page, write_report
from vilora_analysis.report.pictures import Later, Picture, begin, drawn


def test_the_same_runs_give_the_same_page(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    first = write_report([run], tmp_path / "a.html").read_bytes()
    with drawing_process() as executor:
        second = write_report([run], tmp_path / "b.html", executor=executor).read_bytes()
    assert first == second
    assert b"2001-09-09" in first


def test_the_command_writes_it_and_says_where(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vilora_analysis.report.pictures.inline_svg", _no_picture)
    out = tmp_path / "new folder" / "page.html"
    assert main(["report", str(run.path), "-o", str(out), "--title", "Mine"]) == 0
    assert str(out) in capsys.readouterr().out.replace("\n", "")
    assert parsed(out.read_text(encoding="utf-8")).all("h1")[0].text == "Mine"
    assert main(["provenance", str(out)]) == 0
    said = capsys.readouterr().out
    assert "vilora report" in said
    assert run.manifest.run_id in said


def _no_picture(figure: Figure, prefix: str) -> Any:
    raise ValueError(f"{prefix} is <not> drawn")


def test_a_figure_that_cannot_be_drawn_ends_no_report(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vilora_analysis.report.pictures.inline_svg", _no_picture)
    page = parsed(report_page([run]))
    assert not page.all("svg")
    assert "ranks cannot be drawn: run-1-ranks-0 is <not> drawn" in page.all("body")[0].text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report"], "name at least one run directory"),
        (["report", "nowhere"], "no run directory nowhere"),
        (["report", "{run}", "-o", "{folder}"], "it is a folder; name a file"),
        (["report", "{run}", "-o", "{run}/run.json/x.html"], "cannot write"),
        (["report", "{run}", "{run}"], "several runs are called a-run"),
    ],
)
def test_mistakes_are_said_in_a_line(
    words: list[str], said: str, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [word.format(run=run.path, folder=tmp_path) for word in words]
    assert main(asked) == 2
    error = capsys.readouterr().err
    assert said in error.replace("\n", " ")
    assert "Traceback" not in error


def test_no_runs_and_runs_of_one_name_are_refused(run: Run) -> None:
    with pytest.raises(LogError, match="at least one run"):
        report_page([])
    with pytest.raises(ConfigError, match="several runs are called a-run"):
        report_page([run, run])


def body(run: Run) -> str:
    return parsed(report_page([run])).all("body")[0].text


def test_a_run_without_steps_says_so(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", steps=(), metrics=[(1, {"lr": 0.1})]).path)
    text = body(run)
    assert "has no recorded steps" in text
    assert "no step" in text


def test_a_run_without_triplets_says_so(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", steps=(), metrics=[(1, {"lr": 1.0})]).path)
    replace(run.manifest, modules=()).save(run.path)
    run = open_run(run.path)
    assert "no matrix was adapted" in body(run)


def test_a_run_without_posterior_says_what_it_lacks(tmp_path: Path) -> None:
    run = open_run(
        write_run(
            tmp_path / "adamw",
            scores=("sensitivity", "sensitivity_raw"),
            criterion="sensitivity",
            optimizer={"name": "AdamW", "groups": [{"lr": 0.1}]},
            events=[decision(5, n_kept=9)],
        ).path
    )
    text = body(run)
    assert "it needs a run trained with IVON" in text
    assert "At step 5" in text  # what each score would have kept


def test_names_that_are_no_text_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vilora_analysis.report.pictures.inline_svg", _no_picture)
    run = posterior_run(tmp_path / "run", config={"task": "toy", "a\x00b": "c\x1bd"})
    page = write_report([run], tmp_path / "page.html", "of \udc80")  # from a command line
    assert "<h1>of \\udc80</h1>" in page.read_text(encoding="utf-8")


class _Executor:
    """Takes work, and gives back this error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def submit(self, *work: Any) -> Future[Picture]:
        future: Future[Picture] = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize(
    "error", [PicklingError("no"), AttributeError("Can't pickle local object"), TypeError("no")]
)
def test_a_figure_that_cannot_be_sent_is_drawn_here(error: Exception) -> None:
    def draw(caption: str = "") -> Figure:
        figure = Figure(figsize=(1, 1))
        figure.text(0.5, 0.5, caption or "x")
        return figure

    make = partial(draw, caption="said <beside> it")
    later = begin(make, "mine", "p", _Executor(error))  # type: ignore[arg-type]
    assert later() == drawn(make, "mine", "p")
    assert later().caption == "said <beside> it"
    assert later().svg == drawn(draw, "mine", "p").svg  # it does not stand in the picture


class _Waiting:
    """Another process that begins with the first and never gets further."""

    def submit(self, *work: Any) -> Future[Picture]:
        return Future()


def test_what_nobody_has_begun_is_drawn_here_once() -> None:
    made = []

    def draw() -> Figure:
        made.append(1)
        return Figure(figsize=(1, 1))

    later = begin(draw, "mine", "p", _Waiting())  # type: ignore[arg-type]
    later.lend_a_hand()
    assert later() == later() == drawn(draw, "mine", "p")
    assert len(made) == 2
    begun: Future[Picture] = Future()
    begun.set_running_or_notify_cancel()
    other = Later(lambda: pytest.fail("drawn twice"), begun)
    other.lend_a_hand()
    begun.set_result(later())
    assert other() == later()
