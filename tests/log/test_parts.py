"""The name of a part says which steps it holds."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from tests.log.synthetic import manifest, numbered_step, parts_of, schema_of, write_run
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, Manifest, Run, check_run, open_run, reading, repair_run

KNOWN = manifest()


def test_steps_are_known_without_opening_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", steps=range(3, 21, 3), every=3, flush_after=(6, 12)).path
    expected = open_run(run).triplets(["step"])["step"].unique().tolist()
    for name in ("open_part", "read_part"):
        monkeypatch.setattr(reading, name, None)
    assert open_run(run).steps.tolist() == expected


def with_gaps(path: Path) -> Path:
    """Steps 3, 4 and 7 have no numbers."""
    log = LogWriter(path, KNOWN, triplets=schema_of(KNOWN), on_error="warn")
    for step in (1, 2, 5, 6, 8):
        log.triplets(*numbered_step(KNOWN, step))
        log.metrics(step, {"lr": 0.1})
        if step in (2, 6):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for missing in (3, 4) if step == 2 else (7,):
                    log.skip(missing, ValueError("not finite"))
    log.close("finished")
    return path


def test_a_part_ends_at_a_gap_so_that_its_name_says_its_steps(tmp_path: Path) -> None:
    with_gaps(tmp_path / "run")
    assert [part.name[12:31] for part in parts_of(tmp_path / "run")] == [
        "000000001-000000002",
        "000000005-000000006",
        "000000008-000000008",
    ]
    assert open_run(tmp_path / "run").steps.tolist() == [1, 2, 5, 6, 8]


def test_steps_missing_between_two_parts_are_refused_unless_a_gap_says_so(tmp_path: Path) -> None:
    """Their numbers follow one another: what was not written has none."""
    run = with_gaps(tmp_path / "run")
    assert check_run(run) == []
    known = Manifest.load(run)
    replace(known, gaps=[gap for gap in known.gaps if gap.first != 3]).save(run)
    part = parts_of(run)[1]
    said = "no steps between 2 and 5; one in 1 is due"
    assert [(problem.path, problem.what) for problem in check_run(run)] == [(part, said)]
    for read in (Run.triplets, lambda run: run.steps, lambda run: list(run.blocks(["score.snr"]))):
        with pytest.raises(LogError, match=f"{part.name}: {said}"):
            read(open_run(run))
    assert [action.what for action in repair_run(run)] == ["noted as lost"]
    assert check_run(run) == []
    assert open_run(run).steps.tolist() == [1, 2, 5, 6, 8]
