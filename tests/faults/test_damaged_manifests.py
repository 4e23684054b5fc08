"""Damaged manifests: restored from the copy beside them or rebuilt, and told from foreign ones."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.damage import (
    Truth,
    still_right,
    whole_after_repair,
    write_log,
)
from vilora_analysis.errors import LogError
from vilora_analysis.log import Manifest, check_run, remarks, repair_run


def test_a_manifest_of_another_run_is_told(run: Path, truth: Truth) -> None:
    other = write_log(run.parent / "other", 4)
    shutil.copy(other / "run.json", run / "run.json")
    (problem,) = check_run(run)
    assert "is of the run" in problem.what
    assert not still_right(run, truth)
    assert [action.what for action in repair_run(run)] == ["restored"]
    assert still_right(run, truth)
    assert (check_run(run), remarks(run)) == ([], [])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', "\0" * 50])
@pytest.mark.parametrize("spare", [True, False])
def test_a_manifest_that_cannot_be_read(run: Path, truth: Truth, text: str, spare: bool) -> None:
    before = Manifest.load(run)
    (run / "run.json").write_text(text)
    if not spare:
        (run / ".run.json.spare").unlink()
    assert len(check_run(run)) == 1
    assert whole_after_repair(run, truth) == 0
    after = Manifest.load(run)
    if spare:
        assert after == before
        return
    assert (after.run_id, after.modules, after.every) == (
        before.run_id,
        before.modules,
        before.every,
    )
    assert [score.name for score in after.scores] == [score.name for score in before.scores]
    assert (after.results, after.criterion, after.created) == ({}, None, "")
    assert "rebuilt from the parts: unknown: criterion" in "".join(remarks(run))


def test_a_manifest_of_a_newer_version_is_left_alone(run: Path) -> None:
    text = (run / "run.json").read_text().replace('"schema_version": 1', '"schema_version": 2')
    (run / "run.json").write_text(text)
    with pytest.raises(LogError, match="update vilora_analysis"):
        repair_run(run)
    assert (run / "run.json").read_text() == text


def test_a_changed_manifest_is_remarked_upon(run: Path, truth: Truth) -> None:
    manifest = run / "run.json"
    raw = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(raw))  # another spacing is no other content
    assert remarks(run) == []
    raw["results"]["accuracy"] = 0.9
    manifest.write_text(json.dumps(raw))
    assert remarks(run) == ["run.json was changed by hand since it was written"]
    assert check_run(run) == []
    replace(Manifest.load(run), status="finished").save(run)
    assert remarks(run) == []
