"""Worlds in which every claim holds, fails, cannot be told, or cannot be tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.analysis.claims_world import FAILS, HOLDS, SYSTEMS, build, write_trial
from vilora_analysis.analysis import CLAIMS, claims, claims_markdown, claims_text, claims_verdict
from vilora_analysis.analysis.claims.definition import RUNS, SHADOW
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, find_runs, parts

IDS = [claim.id for claim in CLAIMS]


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_to_disk", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return build(tmp_path_factory.mktemp("holds"), HOLDS)


@pytest.fixture(scope="module")
def sheet(holding: list[Run]) -> pd.DataFrame:
    return claims(holding)


def of(frame: pd.DataFrame, claim: str, words: str = "", evidence: str = "") -> pd.DataFrame:
    rows = frame[(frame["claim"] == claim) & frame["statement"].str.contains(words, regex=False)]
    return rows[rows["evidence"].str.startswith(evidence)]


def only(runs: Sequence[Run], *systems: str, seeds: Sequence[int] = range(6)) -> list[Run]:
    configs = [(run, run.manifest.config) for run in runs]
    return [
        run
        for run, config in configs
        if f"{config['optimizer']} {config['criterion']}" in systems and config["seed"] in seeds
    ]


def test_where_every_claim_holds_every_test_supports_it(sheet: pd.DataFrame) -> None:
    wrong = sheet.loc[sheet["verdict"] != "supported", ["claim", "statement", "why"]]
    assert wrong.empty, wrong.to_string()
    assert list(sheet["claim"].unique()) == IDS
    assert (sheet["n_pairs"] == 6).all()
    assert (sheet["smallest_p"] == 2 / 64).all()


def test_where_they_fail_none_is_supported(tmp_path: Path) -> None:
    frame = claims(build(tmp_path, FAILS))
    assert not (frame["verdict"] == "supported").any()
    assert (of(frame, "C1")["verdict"] == "not supported").all()
    against = frame.groupby("claim")["verdict"].apply(
        lambda found: (found == "not supported").any()
    )
    assert against.all(), against


def test_effects_are_those_of_the_runs(holding: list[Run], sheet: pd.DataFrame) -> None:
    """Against a plain loop over the manifests."""
    by_key = {
        (run.manifest.config["optimizer"], run.manifest.criterion, run.manifest.config["seed"]): run
        for run in holding
    }
    points = [
        100
        * (
            by_key["ivon", "snr", seed].manifest.results["accuracy"]
            - by_key["ivon", "sensitivity", seed].manifest.results["accuracy"]
        )
        for seed in range(6)
    ]
    row = of(sheet, "C1", "snr better").iloc[0]
    assert row["effect"] == pytest.approx(np.mean(points))
    assert row["unit"] == "points"
    assert of(sheet, "C7")["effect"].item() == pytest.approx(12.0)


def test_holm_is_over_the_tests_of_the_task_and_said(sheet: pd.DataFrame) -> None:
    """Twenty-two tests at 1/32 each: none is left, and six pairs could not have left one."""
    assert sheet["p_holm"].to_list() == pytest.approx([22 / 32] * 22)
    assert sheet["why"].str.contains("not after Holm's correction over 22 tests").all()
    assert sheet["why"].str.endswith("for which it takes 10 pairs").all()


def test_three_seeds_are_underpowered_whatever_they_show(holding: list[Run]) -> None:
    names = [" ".join(system) for system in SYSTEMS]
    frame = claims(only(holding, *names, seeds=[0, 1, 2]))
    assert set(frame["verdict"]) == {"underpowered"}
    assert (frame["detectable"] == np.inf).all()
    assert (frame["p"] >= 0.25).all()
    assert frame["why"].str.contains("3 pairs cannot give a p below 0.25, and 0.05 takes 6").all()


@pytest.mark.parametrize("count", [1, 5])
def test_no_verdict_rests_on_five_pairs_or_fewer(holding: list[Run], count: int) -> None:
    names = [" ".join(system) for system in SYSTEMS]
    frame = claims(only(holding, *names, seeds=range(count)))
    assert not (frame["p"] < 0.05).any()
    assert set(frame["verdict"]) <= {"underpowered", "not testable"}


def test_missing_systems_are_named_with_a_command(holding: list[Run]) -> None:
    frame = claims(only(holding, "ivon snr", "ivon sensitivity"))
    of_adam = of(frame, "C2")
    assert set(of_adam["verdict"]) == {"not testable"}
    assert of_adam["why"].iloc[0] == "no adam sensitivity on sst2"
    assert "--optimizer adamw --criterion sensitivity" in of_adam["remedy"].iloc[0]
    assert of_adam["remedy"].iloc[0].startswith("for seed in 0 1 2 3 4 5; do vilora train")
    assert of_adam["p"].isna().all()
    assert set(of(frame, "C1", "snr ")["verdict"]) == {"supported"}
    assert set(of(frame, "C3", evidence="runs")["verdict"]) == {"not testable"}
    shadow = of(frame, "C3", evidence="shadow")
    assert (shadow["verdict"].item(), shadow["evidence"].item()) == ("supported", SHADOW)


def test_one_run_answers_for_its_shadows_alone(holding: list[Run]) -> None:
    (run,) = only(holding, "ivon sensitivity", seeds=[0])
    frame = claims(run)
    by_runs = frame[frame["evidence"] == RUNS]
    assert set(by_runs["verdict"]) == {"not testable"}
    shadows = frame[frame["evidence"] == SHADOW]
    assert set(shadows["verdict"]) == {"underpowered"}
    assert (shadows["n_pairs"] == 1).all()
    assert list(shadows["claim"].unique()) == ["C3", "C4", "C5", "C6", "C8"]


def test_where_sigma_is_uniform_the_link_is_not_testable(tmp_path: Path) -> None:
    world = replace(HOLDS, uniform=True)
    frame = claims(build(tmp_path, world, systems=(("ivon", "mean_abs"),)))
    link = of(frame, "C8")
    assert set(link["verdict"]) == {"not testable"}
    assert link["why"].str.contains("posterior uniform in 6 of 6 seeds").all()
    assert link["p"].isna().all()
    assert link["effect"].notna().all()
    magnitude = of(frame, "C3", evidence="shadow")
    assert magnitude["verdict"].item() == "not testable"
    assert "sigma is uniform" in magnitude["why"].item()


def test_time_of_runs_that_record_the_sensitivity_says_nothing(tmp_path: Path) -> None:
    snr = write_trial(tmp_path, HOLDS, "ivon", "mean_abs", 0)
    described = (snr.path / "run.json").read_text()
    swapped = described.replace('"criterion": "mean_abs"', '"criterion": "snr"')
    (snr.path / "run.json").write_text(swapped)
    write_trial(tmp_path, HOLDS, "adamw", "sensitivity", 0)
    row = of(claims(find_runs(tmp_path)), "C7").iloc[0]
    assert (row["verdict"], row["n_pairs"]) == ("not testable", 1)
    assert row["effect"] == pytest.approx(12.0)
    assert np.isnan(row["p"])
    assert "record the sensitivity" in row["why"]


def test_tasks_are_pooled_beside_each(tmp_path: Path) -> None:
    """Three seeds on each of two tasks are six pairs, which can tell."""
    systems = (("ivon", "snr"), ("ivon", "sensitivity"))
    runs = [
        run
        for task in ("rte", "cola")
        for run in build(tmp_path, HOLDS, range(3), systems, task=task)
    ]
    rows = of(claims(runs), "C1", "snr better").set_index("task")
    assert list(rows.index) == ["cola", "rte", "2 tasks"]
    assert rows["verdict"].to_list() == ["underpowered", "underpowered", "supported"]
    assert rows["effect"]["2 tasks"] == pytest.approx(rows["effect"][["rte", "cola"]].mean())


def test_a_run_without_its_metric_loses_its_pair(tmp_path: Path) -> None:
    broken = replace(HOLDS, accuracy={**HOLDS.accuracy, "ivon snr": np.nan})
    runs = build(tmp_path / "a", HOLDS, [0, 1], SYSTEMS[:5:4])
    runs += build(tmp_path / "b", broken, [2], SYSTEMS[:1])
    runs += build(tmp_path / "b", HOLDS, [2], SYSTEMS[4:5])
    row = of(claims(runs), "C1", "snr better").iloc[0]
    assert row["n_pairs"] == 2
    assert "1 pairs without the metric are left out" in row["remark"]
    best = of(claims(runs, metric="best"), "C1", "snr better").iloc[0]
    assert (best["verdict"], best["why"]) == ("not testable", "no run has a best metric")
    assert "--eval-every" in best["remedy"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"alpha": 5}, "5% is 0.05"),
        ({"margin": 0.0}, "above 0"),
        ({"metric": "worst"}, "final or the best"),
    ],
)
def test_impossible_options_are_refused(
    holding: list[Run], options: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        claims(holding[:1], **options)  # type: ignore[arg-type]


def test_no_runs_are_refused() -> None:
    with pytest.raises(LogError, match="no finished run"):
        claims([])


def test_the_margin_is_the_readers(holding: list[Run]) -> None:
    """At the level 0.1 five pairs can tell."""
    runs = only(holding, "ivon snr", "ivon mean_abs", seeds=range(5))
    row = of(claims(runs, margin=6.0, alpha=0.1), "C3", "as good as").iloc[0]
    assert (row["margin"], row["verdict"], row["p"]) == (6.0, "supported", 0.0625)


def test_the_text_never_tells_a_p_alone(sheet: pd.DataFrame) -> None:
    for text in (claims_text(sheet), claims_markdown(sheet)):
        lines = [line for line in text.splitlines() if "p 0.031 (" in line]
        assert len(lines) == len(sheet)
        assert all("0.031 at the least" in line for line in lines)
        assert all(claim.text in text and claim.section in text for claim in CLAIMS)
        assert "sst2: final accuracy, in percent points" in text
        assert claims_verdict(sheet) in text
    assert claims_verdict(sheet) == (
        "Of 22 tests of the paper's claims, on 6 pairs: 22 supported (C1, C2, C3, C4, C5, C6, C7, "
        "C8)."
    )


def test_the_claims_are_in_the_papers_words() -> None:
    """Each has its section, and no claim is there twice."""
    assert len({claim.text for claim in CLAIMS}) == len(IDS) == 8
    assert all(claim.section for claim in CLAIMS)
