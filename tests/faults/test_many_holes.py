"""A log of which many parts are lost: the work of a repair does not grow with their square."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.log.synthetic import manifest, modules, parts_of, write_run
from vilora_analysis.log import Manifest, check_run, open_run, repair, repair_run

KNOWN = manifest(modules(1, ("W_q",), rank=1))


@pytest.mark.parametrize("lost", [5, 20])
def test_each_table_is_listed_and_noted_once(
    lost: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = range(1, 51)
    run = write_run(tmp_path / "run", steps=steps, flush_after=steps, rows=KNOWN.modules).path
    gone = [*range(3, 3 + 2 * lost, 2)]
    for step, part in enumerate(parts_of(run), 1):
        if step in gone:
            part.unlink()
    counted = {"listed": 0, "saved": 0}
    listing, save = repair.list_parts, Manifest.save

    def listed(*args: Any) -> Any:
        counted["listed"] += 1
        return listing(*args)

    def saved(*args: Any) -> None:
        counted["saved"] += 1
        save(*args)

    monkeypatch.setattr(repair, "list_parts", listed)
    monkeypatch.setattr(Manifest, "save", saved)
    assert [done.what for done in repair_run(run)] == ["noted as lost"] * lost
    assert counted["saved"] == 1
    assert counted["listed"] <= 20
    assert [(g.first, g.last) for g in Manifest.load(run).gaps] == [(s, s) for s in gone]
    assert check_run(run) == []
    assert open_run(run).steps.tolist() == [s for s in steps if s not in gone]
