"""The name of a part says which steps it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.log.synthetic import manifest, numbered_step, parts_of, schema_of, write_run
from vilora_analysis.log import LogWriter, open_run, reading

KNOWN = manifest()


def test_steps_are_known_without_opening_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", steps=range(3, 21, 3), every=3, flush_after=(6, 12)).path
    expected = open_run(run).triplets(["step"])["step"].unique().tolist()
    for name in ("open_part", "read_part"):
        monkeypatch.setattr(reading, name, None)
    assert open_run(run).steps.tolist() == expected


def test_a_part_ends_at_a_gap_so_that_its_name_says_its_steps(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "run", KNOWN, triplets=schema_of(KNOWN))
    for step in (1, 2, 5, 6, 8):
        log.triplets(*numbered_step(KNOWN, step))
    log.close("finished")
    assert [part.name[12:31] for part in parts_of(tmp_path / "run")] == [
        "000000001-000000002",
        "000000005-000000006",
        "000000008-000000008",
    ]
    assert open_run(tmp_path / "run").steps.tolist() == [1, 2, 5, 6, 8]
