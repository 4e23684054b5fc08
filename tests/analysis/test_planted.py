"""Counting what was found, on written runs whose answer is known."""

from __future__ import annotations

import itertools
from math import comb
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

import vilora_analysis as va
from tests.analysis.planted_runs import OWNER, PLACE, PLANTED, SIZES, TRUE, noise, of, write_planted
from tests.log.synthetic import write_run
from vilora_analysis.analysis import (
    has_planted,
    planted_found,
    planted_located,
    planted_modules,
    planted_ranks,
    planted_summary,
    planted_verdict,
)
from vilora_analysis.analysis.planted import (
    average_precision,
    chance_of_finding,
    expected_average_precision,
    expected_found,
    roc_auc,
)
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log.planted import PlantedFiles


@pytest.fixture
def run(tmp_path: Path) -> va.Run:
    """snr finds everything, mean_abs nothing, sensitivity says something."""
    return write_planted(
        tmp_path / "run", snr=TRUE + 0.1 * noise(), mean_abs=-1.0 * TRUE, sensitivity=noise(3)
    )


def test_who_knows_finds_everything_and_who_is_wrong_nothing(run: va.Run) -> None:
    found = planted_found(run)
    knows, wrong = of(found, "snr", multiple=1.0), of(found, "mean_abs", multiple=1.0)
    assert (knows["budget"], knows["planted"], knows["found"]) == (6, 6, 6)
    assert knows["precision"] == knows["recall"] == knows["f1"] == 1.0
    oracle = of(found, "oracle", multiple=1.0)
    assert oracle["recall"] == 1.0
    # the six of mean_abs are the first that are not planted: one of module 0, three of module 1,
    # two of module 3; in module 0 two are planted, so that the one kept there counts
    assert wrong["found"] == 1.0
    half, double = of(found, "snr", multiple=0.5), of(found, "snr", multiple=2.0)
    assert (half["precision"], half["recall"]) == (1.0, 0.5)
    assert (double["precision"], double["recall"]) == (0.5, 1.0)


def test_which_triplet_of_a_module_is_kept_means_nothing(tmp_path: Path) -> None:
    last = np.array(SIZES)[OWNER] - np.array(PLANTED)[OWNER] <= PLACE
    found = planted_found(write_planted(tmp_path / "run", snr=last), multiples=[1])
    assert of(found, "snr")["recall"] == 1.0


def test_a_score_that_avoids_the_planted_modules_finds_nothing(tmp_path: Path) -> None:
    elsewhere = np.array(PLANTED)[OWNER] == 0
    found = planted_found(write_planted(tmp_path / "run", snr=elsewhere), multiples=[1])
    row = of(found, "snr")
    assert row["found"] == row["precision"] == row["recall"] == row["f1"] == 0.0


def test_counts_are_those_of_a_naive_loop(run: va.Run) -> None:
    found = planted_found(run, multiples=[0.5, 1.0, 1.5])
    last = run.triplets(None, -1)
    planted = dict(zip([m.name for m in run.manifest.modules], PLANTED, strict=True))
    for row in found[found["score"] == "sensitivity"].itertuples():
        kept = last.nlargest(row.budget, "score.sensitivity")["module"].astype(str).tolist()
        count = sum(min(kept.count(module), rank) for module, rank in planted.items())
        assert row.budget == round(row.multiple * 6)
        assert row.found == count
        assert row.precision == count / row.budget
        assert row.recall == count / 6
        assert row.f1 == pytest.approx(stats.hmean([row.precision, row.recall]))


def test_chance_is_what_random_choices_find_on_average(run: va.Run) -> None:
    found = planted_found(run)
    generator = np.random.default_rng(0)
    for row in found[found["score"] == "chance"].itertuples():
        draws = []
        for _ in range(4000):
            owners = OWNER[generator.permutation(len(OWNER))[: row.budget]]
            draws.append(np.minimum(np.bincount(owners, minlength=7), PLANTED).sum())
        assert row.found == pytest.approx(np.mean(draws), abs=4 * np.std(draws) / np.sqrt(4000))


def test_chance_is_exact_where_all_choices_can_be_listed() -> None:
    ranks, planted = np.array([2, 2, 1]), np.array([1, 2, 0])
    owners = [0, 0, 1, 1, 2]
    for budget in range(6):
        every = [
            np.minimum(np.bincount(list(kept), minlength=3), planted).sum()
            for kept in itertools.combinations(owners, budget)
        ]
        assert expected_found(ranks, planted, budget) == pytest.approx(np.mean(every))
        shares = np.bincount(every, minlength=4) / len(every)
        np.testing.assert_allclose(chance_of_finding(ranks, planted, budget), shares)


def test_p_is_the_share_of_random_choices_that_find_as_much(run: va.Run) -> None:
    row = of(planted_found(run, multiples=[1.5]), "sensitivity")
    generator = np.random.default_rng(1)
    owners = [OWNER[generator.permutation(len(OWNER))[: row["budget"]]] for _ in range(4000)]
    drawn = [np.minimum(np.bincount(o, minlength=7), PLANTED).sum() for o in owners]
    assert row["p"] == pytest.approx(np.mean(np.array(drawn) >= row["found"]), abs=0.03)
    # all six: of each planted module as many as were planted, at least
    knows = of(planted_found(run, multiples=[1]), "snr")
    assert knows["p"] == pytest.approx(3 * 1 * 3 / comb(20, 6))


def test_the_oracle_is_there_at_the_last_step_only(run: va.Run) -> None:
    found = planted_found(run, multiples=[1], steps=None)
    assert found[found["score"] == "snr"]["step"].tolist() == [1, 2, 3, 4, 5]
    assert found[found["score"] == "oracle"]["step"].tolist() == [5]
    assert len(found[found["score"] == "chance"]["recall"].drop_duplicates()) == 1


def test_modules_are_located_as_scikit_learn_says(run: va.Run) -> None:
    located = planted_located(run)
    positive = np.array(PLANTED) > 0
    values = run.triplets(["score.sensitivity"], -1)["score.sensitivity"].to_numpy()
    for reduce, reduction in {"mean": np.mean, "max": np.max}.items():
        score = [reduction(values[m == OWNER]) for m in range(7)]
        for measure, expected in {
            "auc": metrics.roc_auc_score(positive, score),
            "average_precision": metrics.average_precision_score(positive, score),
        }.items():
            row = of(located, "sensitivity", reduce=reduce, measure=measure)
            assert row["value"] == pytest.approx(expected)
    assert of(located, "snr", reduce="max", measure="auc")["value"] == 1.0
    assert of(located, "chance", reduce="max", measure="auc")["value"] == 0.5


@pytest.mark.parametrize("levels", [2, 5, 100])
def test_ties_are_scikit_learns(levels: int) -> None:
    generator = np.random.default_rng(levels)
    for _ in range(20):
        score = generator.integers(levels, size=15).astype(float)
        positive = generator.permutation(15) < 4
        assert roc_auc(score, positive) == pytest.approx(metrics.roc_auc_score(positive, score))
        assert average_precision(score, positive) == pytest.approx(
            metrics.average_precision_score(positive, score)
        )
    assert np.isnan(roc_auc(score, np.ones(15, bool)))
    assert np.isnan(average_precision(score, np.zeros(15, bool)))


@pytest.mark.parametrize(("n", "positives"), [(1, 1), (4, 1), (5, 2), (6, 3), (5, 5)])
def test_average_precision_of_a_random_order_is_the_mean_over_all(n: int, positives: int) -> None:
    every = [
        average_precision(-np.arange(n), np.isin(np.arange(n), chosen))
        for chosen in itertools.combinations(range(n), positives)
    ]
    assert expected_average_precision(n, positives) == pytest.approx(np.mean(every))


def test_ranks_by_module(run: va.Run) -> None:
    ranks = planted_ranks(run, ["snr", "mean_abs"])
    assert list(dict.fromkeys(ranks["source"])) == ["planted", "oracle", "snr", "mean_abs"]
    by_source = {name: part["rank"].tolist() for name, part in ranks.groupby("source")}
    assert by_source["planted"] == by_source["oracle"] == by_source["snr"] == list(PLANTED)
    assert by_source["mean_abs"] == [1, 3, 0, 2, 0, 0, 0]
    assert ranks["layer"].isna().sum() == 4  # the pooler's


def test_what_was_planted_is_told_by_module(run: va.Run) -> None:
    told = planted_modules(run)
    assert told["planted"].tolist() == list(PLANTED)
    assert (told["run"] == "run").all()
    assert told["module"].tolist() == [module.name for module in run.manifest.modules]


def test_mistakes_are_said(tmp_path: Path, run: va.Run) -> None:
    plain = va.open_run(write_run(tmp_path / "plain").path)
    assert has_planted(run)
    assert not has_planted(plain)
    with pytest.raises(LogError, match="make such runs with: vilora planted"):
        planted_found(plain)
    with pytest.raises(LogError, match="no run to count in"):
        planted_found([])
    with pytest.raises(LogError, match="no run to look for modules in"):
        planted_located([])
    with pytest.raises(ConfigError, match="must be greater than 0"):
        planted_found(run, multiples=[0])
    with pytest.raises(ConfigError, match="a seed is there twice"):
        planted_summary(planted_found([run, run]))
    with pytest.raises(ConfigError, match=r"no recall at multiple 1\.0"):
        planted_verdict(planted_summary(planted_found(run, multiples=[2])))
    files = PlantedFiles(run.path)
    files.write({"seed": 0}, files.modules().iloc[1:], files.triplets())
    with pytest.raises(LogError, match="is of another adapter than the log"):
        planted_found(run)


def test_columns_say_what_they_are(run: va.Run) -> None:
    import pyarrow.parquet as pq

    for name in ("modules", "triplets"):
        schema = pq.read_schema(PlantedFiles(run.path).folder / f"{name}.parquet")
        assert all(field.metadata[b"meaning"] for field in schema)
