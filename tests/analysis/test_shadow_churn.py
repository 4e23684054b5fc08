"""What changed from decision to decision, counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.analysis.test_shadow import all_sets, shadow_run, small_run
from tests.analysis.test_shadow_overlap import random_run
from vilora_analysis import analysis
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import open_run


def test_churn_is_known_for_a_hand_made_run(tmp_path: Path) -> None:
    frame = analysis.churn(small_run(tmp_path / "run"))
    assert frame["step"].tolist() == [3, 3, 3, 5, 5, 5]
    assert frame["since"].tolist() == [2, 2, 2, 3, 3, 3]
    assert frame["score"].tolist() == ["snr", "mean_abs", "kept"] * 2
    assert frame["budget"].tolist() == frame["n_kept"].tolist() == [3, 3, 3, 2, 2, 2]
    assert frame["pruned"].tolist() == [1, 1, 1, 2, 2, 2]
    assert frame["revived"].tolist() == [0, 0, 0, 1, 1, 1]
    assert frame["churn"].tolist() == [0, 0, 0, 0.5, 0.5, 0.5]
    assert frame["chance"].tolist() == [0, 0, 0, 0.25, 0.25, 0.25]
    assert frame["cumulative"].tolist() == [0, 0, 0, 0.5, 0.5, 0.5]


def test_counts_are_those_of_plain_sets(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run", steps=6)
    found = all_sets(run)
    frame = analysis.churn(run)
    assert len(frame) == 5 * 4
    for row in frame.itertuples():
        before, now = (set(found[row.score][at]) for at in (row.since - 1, row.step - 1))
        assert (row.pruned, row.revived) == (len(before - now), len(now - before))
        assert row.churn == pytest.approx(len(now - before) / len(now))
    summed = frame.groupby("score")["churn"].sum()
    assert frame.groupby("score")["cumulative"].last().to_dict() == pytest.approx(summed.to_dict())


def test_a_falling_budget_alone_is_no_churn(tmp_path: Path) -> None:
    budgets = {1: 4, 2: 2, 3: 0}
    run = open_run(shadow_run(tmp_path / "run", {"snr": 1.0}, budgets, kept=False).path)
    snr = analysis.churn(run).query("score == 'snr'")
    assert snr["pruned"].tolist() == [2, 2]
    assert snr["churn"].tolist() == [0, pytest.approx(np.nan, nan_ok=True)]  # of an empty set none
    assert snr["cumulative"].tolist() == [0, 0]


def test_one_decision_has_none_before_it(tmp_path: Path) -> None:
    frame = analysis.churn(random_run(tmp_path / "run", steps=1))
    assert frame.empty
    assert list(frame) == list(analysis.churn(small_run(tmp_path / "other")))


def test_last_changes_are_known_for_a_hand_made_run(tmp_path: Path) -> None:
    frame = analysis.last_change(small_run(tmp_path / "run"))
    assert list(frame) == ["score", "module", "matrix", "layer", "k", "kept", "last_change"]
    found = {
        name: rows["last_change"].fillna(-1).tolist()
        for name, rows in frame.groupby("score", sort=False)
    }
    assert found == {"snr": [-1, 5, 5, 5], "mean_abs": [5, -1, 5, 5], "kept": [-1, 5, 5, 5]}
    snr = frame[frame["score"] == "snr"]
    assert snr["kept"].tolist() == [True, False, False, True]
    assert snr["k"].tolist() == [0, 1, 0, 1]


def test_what_the_first_decision_prunes_has_changed_then(tmp_path: Path) -> None:
    run = open_run(shadow_run(tmp_path / "run", {"snr": [[4, 3, 2, 1]]}, {6: 3}).path)
    steps = analysis.last_change(run).query("score == 'snr'")["last_change"]
    assert steps.isna().tolist() == [True, True, True, False]
    assert steps.iloc[-1] == 6


def test_a_score_has_settled_when_it_stays_near_its_end(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run")
    exact = analysis.settling(run, within=0).set_index("score")
    assert exact["settled"].to_dict() == {"snr": 5, "mean_abs": 5, "kept": 5}
    half = analysis.settling(run, within=0.5).set_index("score")
    assert half["settled"].to_dict() == {"snr": 2, "mean_abs": 2, "kept": 2}
    assert set(half["final_step"]) == {5}
    assert set(half["n_kept"]) == {2}


@pytest.mark.parametrize("within", [0, 0.1, 0.3])
def test_settling_is_the_plain_definition(tmp_path: Path, within: float) -> None:
    run = random_run(tmp_path / "run", steps=8)
    settled = analysis.settling(run, within=within).set_index("score")["settled"]
    for name, decisions in all_sets(run).items():
        end = set(decisions[-1])
        near = [len(end - set(kept)) <= within * len(end) for kept in decisions]
        assert settled[name] == min(i + 1 for i in range(8) if all(near[i:]))


def test_within_is_a_share(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected 0 to 1, got 5; 5% is"):
        analysis.settling(small_run(tmp_path / "run"), within=5)
