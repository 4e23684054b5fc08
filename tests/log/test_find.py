"""Runs are found wherever below a folder they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.log.synthetic import write_run
from vilora_analysis.errors import LogError
from vilora_analysis.log import find_runs, open_run


def test_runs_are_found_at_or_anywhere_below_a_folder(tmp_path: Path) -> None:
    for name in ("b", "a", "nested/deep"):
        write_run(tmp_path / name, steps=(1,))
    (tmp_path / "c").mkdir()
    assert [run.name for run in find_runs(tmp_path)] == ["a", "b", "deep"]
    assert [run.path for run in find_runs(str(tmp_path / "a"))] == [tmp_path / "a"]
    assert find_runs(tmp_path / "c") == find_runs(tmp_path / "nowhere") == []


def test_opening_what_is_not_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"no run in .*: there is no run\.json"):
        open_run(tmp_path)
