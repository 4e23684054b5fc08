"""The rules that turn a test into a verdict, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vilora_analysis.analysis.claims.judging import Outcome, decide, examine
from vilora_analysis.analysis.claims.power import Kind
from vilora_analysis.analysis.claims.statistics import sign_flip

KINDS: tuple[Kind, ...] = ("superiority", "non-inferiority", "equivalence")
NOISE = np.array([-0.3, 0.2, 0.1, -0.1, 0.3, -0.2])


def verdict(values: object, kind: Kind, margin: float = 1.0, reference: float = 0.0) -> str:
    values = list(np.asarray(values, dtype=float))
    outcome = examine(values, kind=kind, margin=margin, reference=reference)
    return decide(outcome, kind=kind, margin=margin, reference=reference).verdict


@pytest.mark.parametrize(
    ("shift", "kind", "expected"),
    [
        (2.0, "superiority", "supported"),
        (-2.0, "superiority", "not supported"),
        (0.0, "superiority", "not supported"),  # the interval excludes the margin
        (2.0, "non-inferiority", "supported"),
        (0.0, "non-inferiority", "supported"),
        (-0.5, "non-inferiority", "supported"),
        (-2.0, "non-inferiority", "not supported"),
        (0.0, "equivalence", "supported"),
        (2.0, "equivalence", "not supported"),
        (-2.0, "equivalence", "not supported"),
    ],
)
def test_six_precise_pairs_decide(shift: float, kind: Kind, expected: str) -> None:
    assert verdict(NOISE + shift, kind) == expected
    assert verdict(NOISE + shift + 40, kind, reference=40) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_six_noisy_pairs_do_not(kind: Kind) -> None:
    assert verdict(30 * NOISE, kind) == "underpowered"


def test_what_could_have_been_shown_and_was_not_is_not_supported() -> None:
    """The interval reaches the margin, but eight times out of ten the margin shows up."""
    outcome = Outcome("t", 6, 0.4, -0.1, 1.1, "sign-flip", 0.3, 1 / 32, 0.9)
    ruling = decide(outcome, kind="superiority", margin=1.0)
    assert ruling.verdict == "not supported"
    assert "0.9 could have been shown" in ruling.why


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5),
    st.sampled_from(KINDS),
    st.floats(0.01, 100),
)
def test_with_five_pairs_or_fewer_every_verdict_is_underpowered(
    values: list[float], kind: Kind, margin: float
) -> None:
    outcome = examine(values, kind=kind, margin=margin)
    assert outcome.p >= outcome.smallest_p > 0.05
    assert outcome.detectable == math.inf
    assert outcome.interval in ("t", "")
    ruling = decide(outcome, kind=kind, margin=margin)
    assert ruling.verdict == "underpowered"
    assert f"{outcome.smallest_p:.3g}" in ruling.why
    assert "0.05 takes 6" in ruling.why


def test_five_pairs_decide_at_a_level_they_can_reach() -> None:
    outcome = examine([1.0, 1.1, 0.9, 1.2, 0.8], kind="superiority", margin=0.1, alpha=0.1)
    ruling = decide(outcome, kind="superiority", margin=0.1, alpha=0.1)
    assert (outcome.p, ruling.verdict) == (0.0625, "supported")


def test_each_kind_tests_its_own_hypothesis() -> None:
    values = NOISE + 0.3
    p = {kind: examine(list(values), kind=kind, margin=0.5).p for kind in KINDS}
    assert p["superiority"] == sign_flip(values)
    assert p["non-inferiority"] == sign_flip(values + 0.5, "greater")
    assert p["equivalence"] == max(
        sign_flip(values + 0.5, "greater"), sign_flip(values - 0.5, "less")
    )
    assert p["non-inferiority"] < p["superiority"] < p["equivalence"]


def test_equal_runs_are_equivalent_and_none_is_better() -> None:
    assert verdict(np.zeros(6), "equivalence") == "supported"
    assert verdict(np.zeros(6), "superiority") == "not supported"
