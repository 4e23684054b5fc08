"""``vilora compact`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.log.compacting import write_log
from tests.log.synthetic import parts_of
from vilora_analysis.cli import main
from vilora_analysis.log import run_digest
from vilora_analysis.log.lock import WriterLock


def test_it_says_parts_and_bytes_before_and_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write_log(tmp_path / name, 3) for name in "ab"]
    digest = run_digest(runs[0])
    assert main(["compact", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    for run, line in zip(runs, shown.out.splitlines(), strict=True):
        assert line.startswith(f"{run}: 9 parts, ")
        assert line.endswith(" kB, now")
        assert " kB, before; 4 parts, " in line
        assert len(parts_of(run)) == 1
    assert run_digest(runs[0]) == digest
    assert main(["compact", str(runs[0])]) == 0
    assert capsys.readouterr().out.startswith(f"{runs[0]}: nothing to put together, 4 parts, ")
    assert main(["check", str(tmp_path)]) == 0


def test_a_run_that_is_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_log(tmp_path / "run", 2)
    lock = WriterLock(run)
    lock.acquire()
    assert main(["compact", str(run)]) == 2
    lock.release()
    assert "is being written by process" in capsys.readouterr().err
    assert len(parts_of(run)) == 2


def test_its_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compact", "--help"])
    assert "Example: vilora compact runs/demo/run" in capsys.readouterr().out
