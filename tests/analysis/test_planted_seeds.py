"""What was found, summed up over seeds and judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import vilora_analysis as va
from tests.analysis.planted_runs import PLANTED, SIZES, TRUE, noise, of, write_planted
from vilora_analysis.analysis import (
    planted_found,
    planted_located,
    planted_summary,
    planted_verdict,
)
from vilora_analysis.analysis.planted import expected_found


def seeds(tmp_path: Path, n: int) -> list[va.Run]:
    """snr is right but for some noise; mean_abs, sensitivity and random are of noise alone."""
    return [
        write_planted(
            tmp_path / f"seed-{seed}",
            seed=seed,
            snr=TRUE + 1.2 * noise(seed),
            mean_abs=noise(seed + 100),
            sensitivity=noise(seed + 200),
            random=noise(seed + 300),
        )
        for seed in range(n)
    ]


def test_over_seeds_means_and_students_intervals(tmp_path: Path) -> None:
    found = planted_found(seeds(tmp_path, 4))
    summary = planted_summary(found)
    part = found[found["multiple"] == 0.5].pivot_table("precision", "seed", "score")
    where = {"multiple": 0.5, "measure": "precision"}
    for score, other in [("sensitivity", None), ("sensitivity", "chance"), ("snr", "sensitivity")]:
        values = part[score] - (0 if other is None else part[other])
        row = of(summary, score, **where, against=other or "nothing")
        low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
        assert row["seeds"] == 4
        assert [row["mean"], row["low"], row["high"]] == pytest.approx([values.mean(), low, high])
        if other is not None:
            assert row["p"] == pytest.approx(stats.ttest_rel(part[score], part[other]).pvalue)
    assert summary[summary["against"] == "nothing"][["p", "p_exact"]].isna().all(axis=None)
    row = of(summary, "snr", **where, against="chance")
    part = found[(found["multiple"] == 0.5) & (found["score"] == "snr")]
    assert row["p_exact"] == part["p"].max() < 1


def test_located_modules_are_summed_up_alike(tmp_path: Path) -> None:
    located = planted_located(seeds(tmp_path, 3))
    summary = planted_summary(located)
    part = located[(located["score"] == "snr") & (located["measure"] == "auc")]
    row = of(summary, "snr", measure="auc", reduce="mean", against="nothing")
    assert row["mean"] == pytest.approx(part[part["reduce"] == "mean"]["value"].mean())


def test_equal_differences_leave_nothing_to_judge_by(tmp_path: Path) -> None:
    runs = [write_planted(tmp_path / f"{s}", seed=s, snr=TRUE, mean_abs=TRUE) for s in range(3)]
    summary = planted_summary(planted_found(runs, multiples=[1]))
    row = of(summary, "snr", measure="recall", against="chance")
    assert row["low"] == row["high"] == row["mean"] > 0
    assert np.isnan(row["p"])
    assert of(summary, "snr", measure="recall", against="oracle")["p"] == 1.0


def test_the_verdict_names_who_finds_the_plant(tmp_path: Path) -> None:
    said = planted_verdict(planted_summary(planted_found(seeds(tmp_path, 6))))
    assert said.startswith("Over 6 seeds, snr (recall 0.")
    chance = expected_found(np.array(SIZES), np.array(PLANTED), 6) / 6
    assert f"oracle 1.00, chance {chance:.2f}. " in said
    assert "scores find more than a random choice would in every seed (exact, Bonferroni)" in said
    assert said.endswith("Told from the sensitivity: better: snr.")


def test_the_verdict_knows_how_little_few_seeds_say(tmp_path: Path) -> None:
    runs = seeds(tmp_path, 2)
    two = planted_verdict(planted_summary(planted_found(runs)))
    assert "No score can be told from the sensitivity with so few seeds" in two
    one = planted_verdict(planted_summary(planted_found(runs[0])))
    assert "in this seed" in one
    assert one.endswith("One seed has no interval: which score is better cannot be told.")
    assert "95%" not in one
