"""Overlap and verdict of hand-made runs, and of the plain definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analysis.test_shadow import all_sets, shadow_run, small_run
from tests.analysis.test_shadow_agreement import naive_rbo
from tests.log.synthetic import modules
from vilora_analysis import analysis
from vilora_analysis.analysis import overlap, shadow_verdict
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run, open_run

THREE = ("snr", "mean_abs", "sensitivity")
COLUMNS = ["step", "group", "measure", "score_a", "score_b", "n", "size_a", "size_b"]


def random_run(path: Path, *, steps: int = 4, target: int = 8, seed: int = 0, **extra: Any) -> Run:
    """Three scores over 20 triplets, pruned by the first down to a target."""
    generator = np.random.default_rng(seed)
    values = {name: generator.random((steps, 20)).astype(np.float32) for name in THREE}
    budgets = dict(
        zip(range(1, steps + 1), np.linspace(20, target, steps).astype(int), strict=True)
    )
    order = np.argsort(-values["snr"], axis=1, kind="stable").argsort(axis=1)
    kept = order < np.array(list(budgets.values()))[:, None]
    given = {step: int(budget) for step, budget in budgets.items()}
    return open_run(shadow_run(path, values, given, kept, rows=modules(), **extra).path)


def test_overlap_is_known_for_a_hand_made_run(tmp_path: Path) -> None:
    frame = overlap(small_run(tmp_path / "run"))
    assert list(frame)[:8] == COLUMNS
    values = frame.set_index(["step", "measure", "score_a", "score_b"])["value"]
    assert values[3, "kept", "snr", "mean_abs"] == pytest.approx(2 / 4)
    assert values[3, "pruned", "snr", "mean_abs"] == 0
    assert values[5, "kept", "mean_abs", "kept"] == pytest.approx(1 / 3)
    assert values[5, "kept", "snr", "kept"] == values[2, "pruned", "snr", "kept"] == 1
    first = frame[(frame["step"] == 2) & (frame["measure"] != "rbo")]
    assert (first["value"] == 1).all()
    assert (first["chance"] == 1).all()
    assert first["corrected"].isna().all()  # nothing was pruned, so nothing could differ


def test_every_number_is_that_of_plain_sets(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run")
    frame, found = overlap(run, p=0.9), all_sets(run)
    assert len(frame) == 4 * (2 * 6 + 3)
    everything = set(range(20))
    for row in frame[frame["measure"] != "rbo"].itertuples():
        sides = [set(found[name][row.step - 1]) for name in (row.score_a, row.score_b)]
        if row.measure == "pruned":
            sides = [everything - side for side in sides]
        a, b = sides
        assert (row.n, row.size_a, row.size_b) == (20, len(a), len(b))
        assert row.value == pytest.approx(len(a & b) / len(a | b) if a | b else 1)
        if row.chance < 1:
            assert row.corrected == pytest.approx((row.value - row.chance) / (1 - row.chance))
    for row in frame[frame["measure"] == "rbo"].itertuples():
        block = run.triplets([f"score.{s}" for s in (row.score_a, row.score_b)], row.step)
        rankings = [list(np.argsort(-block[c].to_numpy(), kind="stable")) for c in block]
        assert row.value == pytest.approx(naive_rbo(*rankings, p=0.9), abs=1e-6)
        assert np.isnan(row.p_value)


def test_the_criterion_keeps_what_was_kept(tmp_path: Path) -> None:
    frame = overlap(random_run(tmp_path / "run"))
    own = frame[(frame["score_a"] == "snr") & (frame["score_b"] == "kept")]
    assert len(own) == 8
    assert (own["value"] == 1).all()


@pytest.mark.parametrize("by", ["matrix", "layer"])
def test_groups_have_the_budget_that_was_kept_there(tmp_path: Path, by: str) -> None:
    run = random_run(tmp_path / "run")
    frame = overlap(run, by=by, steps=-1)  # type: ignore[arg-type]
    label = run.modules[by].astype("string").fillna("outside the layers").to_numpy()
    assert list(frame["group"].unique()) == list(dict.fromkeys(label))
    kept = set(all_sets(run, -1)["kept"][0])
    for group, rows in frame[frame["measure"] == "kept"].groupby("group"):
        there = set(np.flatnonzero(label == group))
        assert set(rows["n"]) == {len(there)}
        assert set(rows["size_a"]) == set(rows["size_b"]) == {len(there & kept)}


def test_everything_pruned_leaves_nothing_to_correct(tmp_path: Path) -> None:
    frame = overlap(random_run(tmp_path / "run", target=0), steps=-1)
    sets = frame[frame["measure"] != "rbo"]
    assert (sets["value"] == 1).all()
    assert sets["corrected"].isna().all()
    assert "no two scores could differ" in shadow_verdict(frame)


def test_one_score_is_held_to_what_was_kept(tmp_path: Path) -> None:
    values = {"snr": [[1, 2, 3, 4]]}
    run = open_run(shadow_run(tmp_path / "run", values, {1: 2}, [[0, 1, 0, 1]]).path)
    frame = overlap(run)
    assert frame["measure"].tolist() == ["kept", "pruned"]
    assert frame["value"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert "snr with kept" in shadow_verdict(frame)
    assert overlap(run, budget=2).empty


def test_ends_are_the_last_decision_and_the_untouched_scores(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run")
    frame = analysis.final_overlap(run)
    assert frame["step"].unique().tolist() == [1, 4]
    assert set(frame.loc[frame["measure"] == "kept", "size_a"]) == {8}
    assert "kept" not in set(frame.loc[frame["step"] == 1, "score_b"])
    single = random_run(tmp_path / "single", steps=1)
    assert analysis.final_overlap(single)["step"].unique().tolist() == [1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"by": "module"}, "by all, matrix or layer"),
        ({"p": 1.0}, "0 < p < 1"),
        ({"by": "matrix", "budget": 3}, "a budget is one of all triplets"),
    ],
)
def test_a_question_without_an_answer_is_refused(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        overlap(small_run(tmp_path / "run"), **asked)


def test_the_verdict_says_who_agrees_and_who_does_not(tmp_path: Path) -> None:
    base = np.arange(20.0)
    values = {"snr": [base], "mean_abs": [base**2], "sensitivity": [-base]}
    run = open_run(shadow_run(tmp_path / "run", values, {7: 10}, rows=modules()).path)
    assert shadow_verdict(overlap(run)) == (
        "At step 7, with 10 of 20 triplets kept and an overlap of 0.34 expected of random sets, 1 "
        "of 3 pairs agree beyond chance: snr with mean_abs (1.00, 1.00), and no more than chance "
        "do snr with sensitivity (0.00, −0.52), mean_abs with sensitivity (0.00, −0.52)."
    )


def test_the_verdict_speaks_of_both_ends_and_of_one_group(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run")
    said = shadow_verdict(analysis.final_overlap(run))
    assert said.startswith("At step 1, with 8 of 20")
    assert "; at step 4, with 8 of 20" in said
    assert "step 1," not in shadow_verdict(overlap(run))
    with pytest.raises(ConfigError, match="of one group, got W_o, W_q, W_f2, pooler"):
        shadow_verdict(overlap(run, by="matrix"))
    with pytest.raises(ConfigError, match="got none"):
        shadow_verdict(overlap(run)[:0])
