"""Known answers: means, spreads and differences by hand, p by counting all signs."""

from __future__ import annotations

import itertools
import math
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.analysis.table_runs import BASELINE, FULL, LORA, OURS, finished, pairs
from vilora_analysis.analysis import results_table
from vilora_analysis.errors import ConfigError, LogError


def row_of(
    frame: pd.DataFrame, system: tuple[str, str, str] = OURS, task: str = "rte"
) -> pd.Series:
    optimizer = "adam" if system[1] == "adamw" else system[1]
    chosen = frame[
        (frame["method"] == system[0])
        & (frame["optimizer"] == optimizer)
        & (frame["criterion"] == system[2])
        & (frame["task"] == task)
    ]
    assert len(chosen) == 1, chosen
    return chosen.iloc[0]


def counted_p(differences: list[float]) -> float:
    """Share of all ways to set the signs with a mean as far from 0."""
    far = abs(sum(differences))
    signs = itertools.product((-1, 1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(sign, differences, strict=True))) for sign in signs]
    return sum(value >= far - 1e-9 for value in sums) / len(sums)


def test_mean_spread_seeds_and_difference_are_those_of_the_values(tmp_path: Path) -> None:
    ours, theirs = [90.0, 91.5, 89.0, 92.0], [89.0, 89.5, 89.5, 90.0]
    frame = results_table(pairs(tmp_path, ours, theirs, numel=1234))
    row, differences = row_of(frame), [a - b for a, b in zip(ours, theirs, strict=True)]
    assert row["mean"] == pytest.approx(statistics.mean(ours))
    assert row["sd"] == pytest.approx(statistics.stdev(ours))
    assert (row["seeds"], row["pairs"], row["params"]) == (4, 4, 1234)
    assert row["difference"] == pytest.approx(statistics.mean(differences))
    assert row["p"] == pytest.approx(counted_p(differences))
    ends = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high))
    assert row["interval"] == "t"
    assert row["smallest_p"] == 2 / 2**4
    base = row_of(frame, BASELINE)
    assert base["pairs"] == 0
    assert math.isnan(base["difference"])


def test_only_seeds_that_both_have_are_paired(tmp_path: Path) -> None:
    runs = [finished(tmp_path, OURS, 80.0 + seed, seed=seed) for seed in (1, 2, 5)]
    runs += [finished(tmp_path, BASELINE, 70.0 + 3 * seed, seed=seed) for seed in (5, 2, 9)]
    row = row_of(results_table(runs))
    assert (row["seeds"], row["pairs"]) == (3, 2)
    assert row["difference"] == pytest.approx(((82 - 76) + (85 - 85)) / 2)


def test_holm_is_over_the_tests_of_a_task_and_decides_what_is_supported(tmp_path: Path) -> None:
    seeds = range(7)
    noise = np.random.default_rng(0).uniform(0.9, 1.1, 7)
    values = {
        OURS: 80 + 2 * noise,
        ("adalora", "ivon", "snr_abs"): 80 - 2 * noise,
        ("adalora", "ivon", "mean_abs"): 80 + np.where(np.arange(7) % 2, 1, -1) * noise,
        BASELINE: np.full(7, 80.0),
    }
    runs = [finished(tmp_path, s, values[s][seed], seed=seed) for s in values for seed in seeds]
    frame = results_table(runs)
    assert row_of(frame)["p"] == 2 / 2**7
    assert row_of(frame)["p_holm"] == 3 * 2 / 2**7  # the first of three
    both = frame.set_index("criterion")[["supported", "worse"]]
    assert both.loc["snr"].tolist() == [True, False]
    assert both.loc["snr_abs"].tolist() == [False, True]
    assert both.loc["mean_abs"].tolist() == both.loc["sensitivity"].tolist() == [False, False]
    # another task is another family
    alone = pairs(tmp_path, values[OURS], values[BASELINE], task="mrpc")
    assert row_of(results_table([*runs, *alone]))["p_holm"] == 3 * 2 / 2**7
    # six more tests of the same task, and 7 pairs no longer suffice
    more = [
        finished(tmp_path, ("adalora", "ivon", f"mine{i}"), 80 + noise[seed], seed=seed)
        for i in range(6)
        for seed in seeds
    ]
    assert not results_table([*runs, *more])["supported"].any()


def test_five_seeds_never_support_anything(tmp_path: Path) -> None:
    frame = results_table(pairs(tmp_path, [99.0] * 5, [1.0] * 5))
    assert row_of(frame)["difference"] == pytest.approx(98)
    assert not frame["supported"].any()
    assert results_table(pairs(tmp_path / "six", [99.0] * 6, [1.0] * 6))["supported"].any()


def test_runs_of_other_settings_are_neither_averaged_nor_compared(tmp_path: Path) -> None:
    runs = pairs(tmp_path, [90.0], [80.0], steps=100)
    runs += pairs(tmp_path, [70.0], [65.0], steps=20)
    runs += [finished(tmp_path, LORA, 60.0, steps=50)]
    frame = results_table(runs).set_index(["setup", "method", "optimizer"])
    assert frame["mean"].to_dict() == pytest.approx(
        {
            ("steps 20", "adalora", "adam"): 65.0,
            ("steps 20", "adalora", "ivon"): 70.0,
            ("steps 50", "lora", "adam"): 60.0,
            ("steps 100", "adalora", "adam"): 80.0,
            ("steps 100", "adalora", "ivon"): 90.0,
        }
    )
    assert [*dict.fromkeys(frame.index.get_level_values(0))] == [
        "steps 20",
        "steps 50",
        "steps 100",
    ]
    assert frame["seeds"].eq(1).all()
    assert frame.loc[("steps 20", "adalora", "ivon"), "difference"] == pytest.approx(5)
    assert frame.loc[("steps 50", "lora", "adam"), "why"] == "no baseline"


def test_a_setting_that_differs_from_the_baselines_bars_the_comparison(tmp_path: Path) -> None:
    runs = [finished(tmp_path, OURS, 90.0, batch_size=8), finished(tmp_path, BASELINE, 80.0)]
    assert row_of(results_table(runs))["pairs"] == 1  # one of them does not tell
    runs = [
        finished(tmp_path / "b", OURS, 90.0, batch_size=8),
        finished(tmp_path / "b", BASELINE, 80.0, batch_size=32),
    ]
    row = row_of(results_table(runs))
    assert (row["pairs"], row["why"]) == (0, "differs in batch_size")
    assert row["mean"] == pytest.approx(90)


def test_method_and_optimizer_bring_settings_of_their_own(tmp_path: Path) -> None:
    runs = pairs(tmp_path, [90.0], [80.0], alpha=16.0, tinit=10)
    runs += [finished(tmp_path, LORA, 70.0, alpha=32.0, lr=0.5)]
    runs += [
        finished(tmp_path, ("adalora", "ivon", "mean_abs"), 60.0, alpha=16.0, lr=0.4, tinit=10)
    ]
    frame = results_table(runs)
    assert row_of(frame, LORA)["difference"] == pytest.approx(-10)
    assert row_of(frame, ("adalora", "ivon", "mean_abs"))["difference"] == pytest.approx(-20)
    frame = results_table(runs, baseline="adalora, IVON, mag")
    assert row_of(frame)["why"] == "differs in lr"  # the same optimizer, tuned otherwise
    assert row_of(frame, BASELINE)["difference"] == pytest.approx(20)


def test_variants_of_a_system_are_rows_of_their_own_and_share_the_baseline(tmp_path: Path) -> None:
    runs = [*pairs(tmp_path, [90.0], [80.0]), finished(tmp_path, OURS, 70.0, lr=0.4)]
    frame = results_table(runs).set_index("variant")
    assert frame["difference"].to_dict() == pytest.approx(
        {"": math.nan, "lr 0.4": -10, "lr 5.0": 10}, nan_ok=True
    )


def test_full_fine_tuning_is_held_against_the_only_rank_there_is(tmp_path: Path) -> None:
    runs = [finished(tmp_path, FULL, 95.0), *pairs(tmp_path, [90.0], [80.0])]
    row = row_of(results_table(runs), FULL)
    assert pd.isna(row["target_rank"])
    assert row["difference"] == pytest.approx(15)
    runs += pairs(tmp_path, [90.0], [80.0], target_rank=4)
    assert row_of(results_table(runs), FULL)["why"] == "several baselines"


def test_ranks_are_groups_with_a_baseline_each(tmp_path: Path) -> None:
    runs = pairs(tmp_path, [90.0], [80.0]) + pairs(tmp_path, [85.0], [84.0], target_rank=4)
    ours = results_table(runs).query("optimizer == 'ivon'")
    assert ours["target_rank"].tolist() == [2, 4]
    assert ours["difference"].tolist() == pytest.approx([10, 1])


def test_averages_are_of_complete_rows_and_seeds(tmp_path: Path) -> None:
    group2 = ("cola", "stsb", "mrpc", "rte")
    runs = [
        finished(tmp_path, system, base + 10 * at + seed, task=task, seed=seed)
        for system, base in ((OURS, 50.0), (BASELINE, 40.0))
        for at, task in enumerate(group2)
        for seed in (0, 1)
    ]
    runs += [finished(tmp_path, OURS, 99.0, task="rte", seed=2)]  # a seed of one task only
    runs += [finished(tmp_path, LORA, 99.0, task="rte")]
    frame = results_table(runs)
    assert frame.loc[frame["optimizer"] == "ivon", "task"].tolist() == [*group2, "group2"]
    row = row_of(frame, task="group2")
    assert (row["mean"], row["seeds"]) == (pytest.approx(65.5), 2)
    assert row["sd"] == pytest.approx(statistics.stdev([65, 66]))
    assert (row["difference"], row["pairs"]) == (pytest.approx(10), 2)
    assert frame.loc[frame["method"] == "lora", "task"].tolist() == ["rte"]
    assert frame.attrs["mean_of"] == []
    runs += [finished(tmp_path, OURS, 80.0, task="sst2", seed=0)]
    frame = results_table(runs)
    assert frame.attrs["mean_of"] == ["sst2", *group2]
    assert row_of(frame, task="mean")["mean"] == pytest.approx((80 + 4 * 65) / 5)
    assert frame[frame["optimizer"] == "adam"]["task"].tolist().count("mean") == 0


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    runs = [
        finished(tmp_path, OURS, 90.0, name="a"),
        finished(tmp_path, OURS, 10.0, name="b"),
        finished(tmp_path, OURS, 10.0, name="c", seed=1, status="running"),
        finished(tmp_path, OURS, None, name="d", seed=2),
        finished(tmp_path, OURS, 10.0, name="e", task="group2"),
    ]
    frame = results_table(runs)
    assert len(frame) == 1
    assert row_of(frame)["mean"] == pytest.approx(90)
    assert sorted(frame.attrs["notes"]) == [
        "b is left out: a is the same system and seed",
        "left out, its name is that of an average: task group2",
        "left out, not finished: c",
        "left out, without a final metric: d",
    ]


def test_the_best_evaluation_is_there_to_choose(tmp_path: Path) -> None:
    runs = [finished(tmp_path, OURS, 80.0, best=90.0), finished(tmp_path, OURS, 70.0, seed=1)]
    frame = results_table(runs, metric="best")
    assert (row_of(frame)["mean"], row_of(frame)["seeds"]) == (pytest.approx(90), 1)
    (note,) = frame.attrs["notes"]
    assert note.startswith("left out, without a best metric: ")


def test_mistakes_are_named(tmp_path: Path) -> None:
    run = finished(tmp_path, OURS, 80.0)
    with pytest.raises(ConfigError, match="alpha is a level between 0 and 1, got 5"):
        results_table(run, alpha=5)
    with pytest.raises(ConfigError, match="final or the best model, got last"):
        results_table(run, metric="last")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a method, an optimizer and a criterion, got 'snr'"):
        results_table(run, baseline="snr")
    with pytest.raises(
        ConfigError, match="no run of the baseline lora, adam, none; there are: ada"
    ):
        results_table(run, baseline="lora, adamw, none")
    with pytest.raises(LogError, match="no finished run with a metric"):
        results_table([])
