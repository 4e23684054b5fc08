"""In which pairs a width differs more than a size, by hand and by theory."""

from __future__ import annotations

import numpy as np
import pytest

from vilora_analysis.analysis.variation import outweighs

MAGNITUDE = np.exp(np.random.default_rng(0).normal(size=47))


def test_sigma_that_goes_with_a_power_of_the_magnitude_turns_none() -> None:
    for power in (-1, -0.5, 0.5, 1):
        sigma = (MAGNITUDE**power).astype(np.float32).astype(float)
        assert outweighs(MAGNITUDE.astype(np.float32).astype(float), sigma) == 0


def test_one_that_goes_with_a_higher_power_outweighs_it_everywhere() -> None:
    assert outweighs(MAGNITUDE, MAGNITUDE**-1.5) == 1


def test_what_has_no_logarithm_and_equal_sizes_are_left_out() -> None:
    size = np.array([0.0, 0.0, 1.0, 1.0, 2.0])
    width = np.array([5.0, 1.0, 1.0, 9.0, 1.0])
    assert outweighs(size, width) == 0.5  # 1 and 2: no; the other 1 and 2: yes
    assert np.isnan(outweighs(size[:4], width[:4]))
    assert np.isnan(outweighs(size[:1], width[:1]))


def test_normal_logarithms_have_the_share_of_theory() -> None:
    generator = np.random.default_rng(3)
    size, width = np.exp(generator.normal(size=900)), np.exp(0.5 * generator.normal(size=900))
    assert outweighs(size, width) == pytest.approx(2 / np.pi * np.arctan(0.5), abs=0.02)


def test_many_triplets_are_thinned() -> None:
    generator = np.random.default_rng(4)
    size, width = np.exp(generator.normal(size=(2, 5000)))
    assert outweighs(size, width) == pytest.approx(0.5, abs=0.02)
