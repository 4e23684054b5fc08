"""The law of batches against every batch there is."""

from __future__ import annotations

import itertools

import pytest
import torch

from vilora_analysis.errors import ConfigError
from vilora_analysis.fisher import GradientMoments

GRADIENTS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double() + 0.5
MOMENTS = GradientMoments.of(GRADIENTS)


def close(first: torch.Tensor, second: torch.Tensor) -> None:
    torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-14)


def mean_square_of(batches: list[tuple[int, ...]], gradients: torch.Tensor) -> torch.Tensor:
    return torch.stack([gradients[list(batch)].mean(0).square() for batch in batches]).mean(0)


def test_the_moments_are_those_of_a_loop() -> None:
    close(MOMENTS.mean, sum(GRADIENTS) / 6)
    close(MOMENTS.fisher, sum(g * g for g in GRADIENTS) / 6)
    close(MOMENTS.variance, GRADIENTS.var(0, unbiased=True))


@pytest.mark.parametrize("size", range(1, 7))
def test_every_batch_without_replacement(size: int) -> None:
    batches = list(itertools.combinations(range(6), size))
    close(MOMENTS.batch_square(size), mean_square_of(batches, GRADIENTS))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_every_batch_with_replacement(size: int) -> None:
    batches = list(itertools.product(range(6), repeat=size))
    close(MOMENTS.batch_square(size, replacement=True), mean_square_of(batches, GRADIENTS))


@pytest.mark.parametrize("seen", [2, 4, 5])
@pytest.mark.parametrize("size", [1, 3, 6])
def test_from_some_of_the_examples_it_is_unbiased_for_batches_of_all(seen: int, size: int) -> None:
    samples = [list(rows) for rows in itertools.combinations(range(6), seen)]
    estimates = [GradientMoments.of(GRADIENTS[rows]).batch_square(size) for rows in samples]
    batches = list(itertools.combinations(range(6), size))
    close(torch.stack(estimates).mean(0), mean_square_of(batches, GRADIENTS))


def test_a_batch_of_one_is_the_fisher_and_one_of_all_the_squared_mean() -> None:
    close(MOMENTS.batch_square(1), MOMENTS.fisher)
    close(MOMENTS.batch_square(6), MOMENTS.mean.square())


def test_where_examples_cancel_a_batch_is_the_fisher_over_its_size() -> None:
    many = GRADIENTS - GRADIENTS.mean(0)
    moments = GradientMoments.of(torch.cat([many] * 200))
    torch.testing.assert_close(moments.batch_square(8), moments.fisher / 8, rtol=0.01, atol=0)


def test_moments_of_two_sets_add_up() -> None:
    both = GradientMoments.of(GRADIENTS[:2]) + GradientMoments.of(GRADIENTS[2:])
    assert both.count == 6
    close(both.fisher, MOMENTS.fisher)
    close(both.variance, MOMENTS.variance)


def test_a_common_gradient_shifts_the_mean_and_not_the_variance() -> None:
    common = torch.tensor([1.0, -2.0, 0.0, 10.0])
    shifted, expected = MOMENTS.shifted(common), GradientMoments.of(GRADIENTS + common)
    close(shifted.fisher, expected.fisher)
    close(shifted.mean, expected.mean)
    torch.testing.assert_close(shifted.variance, MOMENTS.variance, rtol=1e-10, atol=0)


def test_what_has_no_variance_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs two of them"):
        _ = GradientMoments.of(GRADIENTS[:1]).variance
    with pytest.raises(ConfigError, match="at least one example, got 0"):
        MOMENTS.batch_square(0)
