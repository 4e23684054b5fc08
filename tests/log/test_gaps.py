"""Which steps a gap stands for, and how gaps become few."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.log.synthetic import manifest, write_run
from vilora_analysis.errors import LogError
from vilora_analysis.log import Manifest
from vilora_analysis.log.gaps import Gaps, explains, gaps_up_to
from vilora_analysis.log.manifest import GapRow


def naively(gaps: list[GapRow], table: str, first: int, last: int, every: int) -> bool:
    return all(
        any(gap.table == table and gap.first <= step <= gap.last for gap in gaps)
        for step in range(first, last + 1, every)
    )


def test_gaps_explain_what_each_step_alone_would() -> None:
    generator = np.random.default_rng(0)
    seen = set()
    for _ in range(2_000):
        starts = generator.integers(0, 12, generator.integers(0, 4)).tolist()
        lengths = generator.integers(0, 6, len(starts)).tolist()
        tables = generator.choice(["triplets", "events"], len(starts)).tolist()
        gaps = [GapRow(t, s, s + n, "") for t, s, n in zip(tables, starts, lengths, strict=True)]
        first, last = sorted(generator.integers(0, 15, 2).tolist())
        every = int(generator.integers(1, 4))
        expected = naively(gaps, "triplets", first, last, every)
        assert explains(gaps, "triplets", first, last, every) == expected
        seen.add(expected)
    assert seen == {True, False}


def test_a_log_cut_back_forgets_what_was_missing_later() -> None:
    gaps = [GapRow("triplets", 2, 4, "full"), GapRow("triplets", 6, 9, "full")]
    assert gaps_up_to(gaps, 7) == (gaps[0], GapRow("triplets", 6, 7, "full"))
    assert gaps_up_to(gaps, 1) == ()


def test_what_was_recorded_after_a_checkpoint_is_not_missing_before_it() -> None:
    behind, over = GapRow("metrics", 5, 9, "lost"), GapRow("metrics", 4, 9, "lost")
    own = GapRow("metrics", 5, 5, "full")
    assert gaps_up_to([behind, over, own], 5) == (GapRow("metrics", 4, 5, "lost"), own)


def test_neighbours_become_one_gap_and_what_was_written_between_stays_out() -> None:
    gaps = Gaps(every=5)
    for step in (10, 15, 20, 40, 35):
        gaps.failed("triplets", step, step, "full")
    gaps.failed("events", 11, 13, "full")
    gaps.failed("events", 90, 95, "gone")  # nothing of the table was written since
    gaps.written("events")
    gaps.failed("events", 120, 120, "full")
    assert gaps.rows == (
        GapRow("triplets", 10, 20, "full"),
        GapRow("triplets", 35, 40, "full"),
        GapRow("events", 11, 95, "full"),
        GapRow("events", 120, 120, "full"),
    )


def test_gaps_stay_few() -> None:
    gaps = Gaps(every=1)
    for step in range(0, 10_000, 3):
        gaps.failed("triplets", step, step, "full")
    assert len(gaps.rows) == 1_000
    assert explains(gaps.rows, "triplets", 3 * 1_100, 9_999)


def test_a_manifest_keeps_its_gaps_and_one_without_the_field_has_none(tmp_path: Path) -> None:
    gaps = (GapRow("triplets", 3, 4, "No space left on device"),)
    manifest(gaps=gaps).save(tmp_path)
    assert Manifest.load(tmp_path).gaps == gaps
    file = tmp_path / "run.json"
    raw = json.loads(file.read_text())
    del raw["gaps"]
    file.write_text(json.dumps(raw))
    assert Manifest.load(tmp_path).gaps == ()


@pytest.mark.parametrize(
    "gaps",
    [7, "x", [[1]], [{"table": "t"}], [{"table": "t", "first": "1", "last": 2, "reason": ""}]],
)
def test_gaps_that_are_none_are_refused(tmp_path: Path, gaps: object) -> None:
    run = write_run(tmp_path / "run").path
    raw = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(raw | {"gaps": gaps}))
    with pytest.raises(LogError, match="is not a manifest of a run"):
        Manifest.load(run)
