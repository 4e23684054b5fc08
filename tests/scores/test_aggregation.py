"""From elements to triplets: what a name asks for, and what comes out."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.scores.snapshots import layout_of, naive_triplets, random_snapshot
from vilora_analysis import scores
from vilora_analysis.aggregation import REDUCE_NAMES, Aggregation, split_name
from vilora_analysis.allocation import triplet_score
from vilora_analysis.errors import ScoreError
from vilora_analysis.naming import score_column, score_name
from vilora_analysis.scores.evaluate import score_triplets
from vilora_analysis.triplets import REDUCTIONS

FACTORS = ("E", "A", "B", "EA", "EB", "AB", "EAB")
NAIVE: dict[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "sum": sum,
    "max": max,
    "l2": lambda v: sum(x * x for x in v) ** 0.5,
    "rms": lambda v: statistics.fmean(x * x for x in v) ** 0.5,
}


def test_names_are_those_of_the_reductions() -> None:
    assert set(REDUCE_NAMES) == set(REDUCTIONS) == set(NAIVE)


@given(st.sampled_from(REDUCE_NAMES), st.sampled_from(FACTORS))
def test_a_name_is_read_back_as_it_was_spelled(reduce: str, factors: str) -> None:
    base, read = split_name(f"snr@{reduce}-{factors}")
    assert base == "snr"
    assert (read.factors, read.reduce) == (factors, "mean" if factors == "E" else reduce)
    assert split_name(f"snr{read.suffix}") == ("snr", read)


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("snr@mean", "snr"),
        ("snr@EAB", "snr"),
        ("snr@BA", "snr@AB"),
        ("snr@max-E", "snr@E"),
        ("ipt@sum-BE", "sensitivity@sum-EB"),
    ],
)
def test_one_aggregation_has_one_name(spelled: str, name: str) -> None:
    assert scores.get(spelled).name == score_name(spelled) == name
    assert score_column(f"score.{spelled}.B") == f"score.{name}.B"


@pytest.mark.parametrize(
    "name", ["snr@", "snr@-A", "snr@sum-", "snr@median", "snr@EE", "snr@sum@E", "snr@C", "@sum"]
)
def test_what_is_not_understood_is_refused(name: str) -> None:
    with pytest.raises(ScoreError, match="expected after the @ one of mean, sum, max, l2, rms"):
        scores.get(name)
    assert score_name(name) == name


def test_whole_triplets_have_no_aggregation() -> None:
    with pytest.raises(ScoreError, match=r"'group_taylor' is one of whole triplets, .* '@sum' out"):
        scores.get("group_taylor@sum")


def test_an_aggregated_score_is_described() -> None:
    item = scores.get("snr@l2-AB")
    assert (item.name, item.label) == ("snr@l2-AB", "|μ|/σ (l2-AB)")
    assert item.inputs == scores.get("snr").inputs
    assert item.needs_posterior
    assert scores.get("snr").aggregation == Aggregation()


@pytest.mark.parametrize("reduce", REDUCE_NAMES)
@pytest.mark.parametrize("factors", FACTORS)
def test_triplets_equal_a_loop_over_elements(reduce: str, factors: str) -> None:
    snapshot = random_snapshot(layout_of())
    name = scores.get(f"taylor@{reduce}-{factors}").name
    got = score_triplets([name], snapshot)[name]
    assert set(got.parts) == set(factors)
    for i, triplet in enumerate(naive_triplets(snapshot)):
        parts = {
            f: NAIVE[reduce]([(m * g) ** 2 for m, g in zip(v["mu"], v["grad"], strict=True)])
            for f, v in triplet.items()
        }
        assert float(got.total[i]) == pytest.approx(sum(parts[f] for f in factors), rel=1e-4)
        for f in factors:
            assert float(got.parts[f][i]) == pytest.approx(parts[f], rel=1e-4)


def test_the_order_asked_for_is_kept_and_nothing_depends_on_company() -> None:
    snapshot = random_snapshot(layout_of())
    names = ["random", "snr@sum", "snr", "group_taylor", "mean_abs@E", "obd", "snr@AB"]
    together = score_triplets(names, snapshot)
    assert list(together) == names
    for name in names:
        assert torch.equal(together[name].total, triplet_score(name, snapshot))


def test_a_factor_that_is_not_there_is_named() -> None:
    snapshot = random_snapshot(layout_of("lora"))
    assert set(score_triplets(["snr"], snapshot)["snr"].parts) == {"A", "B"}
    with pytest.raises(ScoreError, match=r"'snr@EA' needs the factor E, .* has A, B; use AdaLoRA"):
        score_triplets(["snr@EA"], snapshot)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e30])
def test_the_norm_neither_overflows_nor_vanishes(size: float) -> None:
    got = REDUCTIONS["l2"](torch.full((3, 4), size), -1)
    torch.testing.assert_close(got, torch.full((3,), 2 * size), rtol=1e-6, atol=0)
