"""One page of one run, one of two whose every text is hostile: made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.log.synthetic import modules
from tests.report.pages import NAME, hostile_run, posterior_run
from vilora_analysis.log import Run
from vilora_analysis.provenance import recorded
from vilora_analysis.report import write_report


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return posterior_run(tmp_path_factory.mktemp("report") / "a-run", rows=modules(3))


@pytest.fixture(scope="session")
def page(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with recorded(command=("vilora", "report", "a-run", "-o", "one.html")):
        return write_report([run], tmp_path_factory.mktemp("page") / "one.html")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    runs = [hostile_run(folder / NAME), posterior_run(folder / "tame")]
    with recorded(command=("vilora", "report", NAME, "--title", "<b>x")):
        return write_report(runs, folder / "hostile.html", "<b>x</b></title>{{7*7}}")
