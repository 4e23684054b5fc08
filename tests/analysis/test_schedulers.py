"""A scheduler is named as the help shows; one that cannot compute is refused, with the remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.analysis.engine_runs import write
from vilora_analysis import scheduler as dask_scheduler
from vilora_analysis.analysis import engine, on_scheduler
from vilora_analysis.cli import main
from vilora_analysis.errors import ConfigError, MissingExtraError


def test_scheduler_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_scheduler, "CONNECT_SECONDS", 0.5)
    for address, said in {
        "here": "is an address as tcp://host:8786, or local:N .*; got 'here'",
        "local:0": "got 'local:0'",
        "tcp://127.0.0.1:1": "no scheduler answers at tcp://127.0.0.1:1 within .* dask scheduler",
    }.items():
        with pytest.raises(ConfigError, match=said), on_scheduler(address):
            pass


def test_scheduler_without_workers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    monkeypatch.setattr(dask_scheduler, "CONNECT_SECONDS", 0.5)
    with (
        engine._local_cluster(distributed, 0) as cluster,
        pytest.raises(ConfigError, match="has no workers; start some with: dask worker tcp://"),
        on_scheduler(cluster.scheduler_address),
    ):
        pass


def test_without_the_extra_it_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = write(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingExtraError, match=r'pip install "vilora-analysis\[sweep\]"'),
        on_scheduler("local:2"),
    ):
        pass
    assert main(["analyze", str(run.path), "--scheduler", "local:2"]) == 2
    assert capsys.readouterr().err.startswith("vilora: 'distributed' is not installed; ")


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["analyze", "--help"])
    assert "--scheduler tcp://head-node:8786" in capsys.readouterr().out
