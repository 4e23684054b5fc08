"""Times of steps: medians, paired ratios and parts by a naive loop, intervals by scipy."""

from __future__ import annotations

from statistics import median, quantiles

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from tests.analysis.speed_steps import KNOWN, PHASES, steps
from vilora_analysis import analysis
from vilora_analysis.errors import ConfigError


@pytest.fixture(scope="module")
def noisy() -> pd.DataFrame:
    return steps(KNOWN, noise=0.05, recording=0.3)


def naive_average(frame: pd.DataFrame, name: str, every: int) -> float:
    """The paired ratio over an interval, by loops over rows."""
    of = {
        (row.step, row.variant): row
        for row in frame.itertuples()
        if row.variant in (name, "AdamW sensitivity, PEFT")
    }
    top = bottom = 0.0
    for prunes, share in ((True, 1 / every), (False, 1 - 1 / every)):
        base, ratios = [], {True: [], False: []}
        for (step, variant), row in of.items():
            if variant == name and row.allocates == prunes:
                published = of[step, "AdamW sensitivity, PEFT"]
                ratios[bool(row.records)].append(row.seconds / published.seconds)
                base.append(published.seconds)
        ratio = median(ratios[False])
        if ratios[True]:
            ratio = 0.9 * ratio + 0.1 * median(ratios[True])
        top += share * median(base) * ratio
        bottom += share * median(base)
    return top / bottom


@pytest.mark.parametrize("every", [1, 4, 10])
def test_ratios_are_those_of_a_naive_loop(noisy: pd.DataFrame, every: int) -> None:
    summary = analysis.speed_summary(noisy, every, repeats=10).set_index(["variant", "when"])
    for name in KNOWN:
        assert summary.loc[(name, "average"), "ratio"] == pytest.approx(
            naive_average(noisy, name, every), rel=1e-12
        )
        mine = noisy[noisy["variant"] == name]
        for when, rows in (("prunes", mine[mine.allocates]), ("between", mine[~mine.allocates])):
            if name == "IVON snr, recorded 1 in 10":
                continue
            row = summary.loc[(name, when)]
            low, middle, high = quantiles(1e3 * rows["seconds"], n=4, method="inclusive")
            assert row[["low_ms", "median_ms", "high_ms"]].tolist() == pytest.approx(
                [low, middle, high]
            )
            assert row["steps"] == len(rows)


def test_a_disturbance_that_falls_on_all_alike_leaves_no_trace() -> None:
    summary = analysis.speed_summary(steps(KNOWN), 10, repeats=50)
    for _, row in summary.iterrows():
        pruning, between = KNOWN[row["variant"]]
        if row["when"] != "average":
            expected = pruning if row["when"] == "prunes" else between
            assert row[["ratio", "low", "high"]].tolist() == pytest.approx([expected] * 3)
        else:
            assert min(pruning, between) <= row["ratio"] <= max(pruning, between)


def test_recording_one_step_in_ten_costs_a_tenth_of_recording_it() -> None:
    summary = analysis.speed_summary(steps(KNOWN, recording=0.5), 10, repeats=5)
    between = summary[summary["when"] == "between"].set_index("variant")["ratio"]
    assert between["IVON snr, recorded 1 in 10"] == pytest.approx(between["IVON snr"] + 0.05)


def test_intervals_are_those_of_scipys_bootstrap(noisy: pd.DataFrame) -> None:
    summary = analysis.speed_summary(noisy, 1, repeats=4000).set_index(["variant", "when"])
    wide = noisy[noisy["allocates"]].pivot_table("seconds", "step", "variant")
    ratios = (wide["IVON snr"] / wide["AdamW sensitivity, PEFT"]).to_numpy()
    found = scipy.stats.bootstrap(
        (ratios,), np.median, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    row = summary.loc[("IVON snr", "average")]
    assert row[["low", "high"]].tolist() == pytest.approx([found.low, found.high], abs=0.004)
    assert row["low"] < row["ratio"] < row["high"]


def test_effects_add_up_and_are_differences_of_the_ratios(noisy: pd.DataFrame) -> None:
    effects = analysis.speed_effects(noisy, 10, repeats=100).set_index("effect")
    percent = effects["percent"]
    assert percent[["optimizer", "criterion"]].sum() == pytest.approx(percent["paper's comparison"])
    three = ["optimizer", "criterion", "allocator"]
    assert percent[three].sum() == pytest.approx(percent["all together"])
    for _, row in effects.iterrows():
        before, after = (naive_average(noisy, row[end], 10) for end in ("from", "to"))
        assert row["percent"] == pytest.approx(100 * (before - after))
        assert row["low"] <= row["percent"] <= row["high"]
    assert effects.loc["paper's comparison", "paper"] == pytest.approx(100 * (1 - 1 / 1.1))
    assert effects.loc["optimizer", "paper"] == -2


@pytest.mark.parametrize("name", ["IVON snr", "IVON snr, recorded 1 in 10"])
def test_parts_sum_to_the_step(noisy: pd.DataFrame, name: str) -> None:
    split = analysis.speed_split(noisy, 10)
    mine = split[split["variant"] == name]
    assert mine["phase"].tolist() == list(PHASES)
    assert mine["share"].sum() == pytest.approx(1)
    rows = noisy[noisy["variant"] == name]
    expected = 0.0
    for prunes, share in ((True, 0.1), (False, 0.9)):
        recorded = ((True, 0.1), (False, 0.9)) if "1 in 10" in name else ((False, 1.0),)
        for records, also in recorded:
            kind = rows[(rows["allocates"] == prunes) & (rows["records"] == records)]
            times = sorted(kind["seconds"])
            cut = len(times) // 4
            middle = times[cut : len(times) - cut]
            expected += share * also * sum(middle) / len(middle)
    assert mine["ms"].sum() == pytest.approx(1e3 * expected)


def test_on_an_accelerator_seams_tell_the_parts_and_not_the_time() -> None:
    plain = steps(KNOWN, seams=False)
    plain[[f"seconds.{phase}" for phase in PHASES]] = np.nan
    seamed = steps(dict.fromkeys(KNOWN, (2.0, 2.0)), seed=1)
    both = pd.concat([plain, seamed.assign(step=seamed["step"] + 60)])
    pd.testing.assert_frame_equal(
        analysis.speed_summary(both, 10, repeats=5), analysis.speed_summary(plain, 10, repeats=5)
    )
    pd.testing.assert_frame_equal(analysis.speed_split(both), analysis.speed_split(seamed))


VERDICTS = {
    (0.95, 0.0): "less than the paper's 10% speed-up (9.1% less time)",
    (0.7, 0.0): "more than the paper's 10% speed-up",
    (1.2, 0.0): "slower, against the paper's 10% speed-up",
    (0.91, 0.05): "in agreement with the paper's 10% speed-up",
    (1.0, 0.02): "no gain is shown, and the paper's 10% speed-up (9.1% less time) is excluded",
    (0.96, 0.9): "cannot tell",
}


@pytest.mark.parametrize(("ratio", "noise"), VERDICTS)
def test_the_verdict_says_how_the_papers_comparison_came_out(ratio: float, noise: float) -> None:
    ratios = KNOWN | {"IVON snr, PEFT": (ratio, ratio)}
    said = analysis.speed_verdict(analysis.speed_effects(steps(ratios, noise=noise)))
    assert f"both in PEFT's loop: {VERDICTS[ratio, noise]}" in said


def test_the_verdict_holds_the_numbers() -> None:
    said = analysis.speed_verdict(analysis.speed_effects(steps(KNOWN), 1), 1)
    assert said.startswith(
        "Pruning every step, a step of snr under IVON takes 5.0% less time (95% interval 5.0 to "
        "5.0) than one of sensitivity under AdamW"
    )
    assert (
        "IVON for AdamW saves −5.0 [−5.0, −5.0] (the paper: −2), snr for sensitivity +10.0" in said
    )
    assert "allocator for PEFT's loop saves +15.0" in said
    assert said.endswith(
        "takes 20.0% less time (95% interval 20.0 to 20.0) than the published way."
    )
    slower = analysis.speed_effects(steps(KNOWN | {"IVON snr, PEFT": (1.2, 1.2)}), 1)
    assert "takes 20.0% more time (95% interval 20.0 to 20.0)" in analysis.speed_verdict(slower, 1)


def test_the_verdict_says_what_could_be_saved_at_most() -> None:
    frame = steps(KNOWN)
    renamed = frame.rename(columns={"seconds.update": "seconds.allocation"})
    effects, split = analysis.speed_effects(frame), analysis.speed_split(renamed)
    (share,) = split.loc[
        (split["variant"] == "AdamW sensitivity, PEFT") & (split["phase"] == "allocation"), "share"
    ]
    said = analysis.speed_verdict(effects, split=split)
    assert said.startswith(analysis.speed_verdict(effects))
    assert f"allocation is {100 * share:.1f}% of the published way's" in said
    assert analysis.speed_verdict(effects, split=analysis.speed_split(frame)) == (
        analysis.speed_verdict(effects)
    )


def test_what_is_missing_is_named() -> None:
    frame = steps(KNOWN)
    with pytest.raises(ConfigError, match="lack those of AdamW with sensitivity and PEFT"):
        analysis.speed_summary(frame[frame["variant"] != "AdamW sensitivity, PEFT"])
    with pytest.raises(ConfigError, match="the same steps"):
        analysis.speed_summary(frame.iloc[:-1])
    with pytest.raises(ConfigError, match="'AdamW sensitivity, PEFT' prunes and is not recorded"):
        analysis.speed_summary(frame[~frame["allocates"]])
