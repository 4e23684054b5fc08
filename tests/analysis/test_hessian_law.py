"""The law of IVON's Hessian against its own update, simulated with known noise and curvature."""

from __future__ import annotations

from dataclasses import dataclass

import ivon
import numpy as np
import pytest
import torch
from scipy import stats

from vilora_analysis.analysis.theory.hessian_law import (
    accumulated_correction,
    correction_rate,
    decay_of_h,
    fixed_point,
    relative_spread,
)

DECAY = 1e-8


@dataclass
class Simulated:
    hess: np.ndarray
    squares: list[float]
    fisher: float


def update(
    hess: np.ndarray, eps: np.ndarray, grad: np.ndarray, beta2: float, ess: float
) -> np.ndarray:
    """One step, as DESIGN writes it: h <- beta2 h + (1-beta2) f + ..."""
    rate = 1 - beta2
    f = grad * eps * (hess + DECAY) * ess
    return beta2 * hess + rate * f + 0.5 * rate**2 * (hess - f) ** 2 / (hess + DECAY)


def simulate(
    beta2: float,
    ess: float,
    start: float,
    curvature: float,
    noise: float,
    *,
    steps: int,
    n: int = 4000,
) -> Simulated:
    """Many independent parameters of a quadratic loss with noisy gradients."""
    generator = np.random.default_rng(0)
    hess, squares = np.full(n, start), []
    for _ in range(steps):
        eps = generator.normal(size=n) / np.sqrt(ess * (hess + DECAY))
        grad = curvature * eps + noise * generator.normal(size=n)
        hess = update(hess, eps, grad, beta2, ess)
        squares.append(float((grad**2).mean()))
    return Simulated(hess, squares, float(np.mean(squares[steps // 2 :])))


def test_the_simulated_update_is_that_of_the_optimizer() -> None:
    """Run IVON itself on gradients of our own; its h is that of the scalar recursion."""
    parameter = torch.nn.Parameter(torch.zeros(50, dtype=torch.float64))
    settings = {"ess": 1e4, "hess_init": 0.3, "beta2": 0.9, "weight_decay": DECAY}
    optimizer = ivon.IVON([parameter], lr=0.1, clip_radius=1e-3, **settings)
    hess, generator = np.full(50, 0.3), np.random.default_rng(1)
    for _ in range(20):
        grad = generator.normal(size=50)
        with optimizer.sampled_params(train=True):
            drawn = parameter.detach().clone()
            parameter.grad = torch.from_numpy(grad)
        eps = (drawn - parameter.detach()).numpy()
        optimizer.step()
        hess = update(hess, eps, grad, 0.9, 1e4)
    np.testing.assert_allclose(optimizer.param_groups[0]["hess"].numpy(), hess, rtol=1e-6)


@pytest.mark.parametrize(
    ("beta2", "ess", "start"),
    [(0.9, 1e6, 1.0), (0.9, 1e10, 1e-3), (0.99, 1e6, 1e-3), (0.99, 1e10, 1.0), (0.97, 1e8, 0.1)],
)
@pytest.mark.parametrize("curved", [0.0, 1.0, 10.0])
def test_the_mean_settles_at_the_fixed_point(
    beta2: float, ess: float, start: float, curved: float
) -> None:
    """Within 1% and four standard errors, of at most 1.6% each.

    The gradient's noise is such that the correction term alone gives 0.1. Without the rest of that
    term the sum of two is a relative ½(1 − β₂) too small at most; a third of it more is allowed.
    """
    noise = np.sqrt(0.1 / correction_rate(ess, beta2))
    steps = int(12 / (1 - beta2))
    found = simulate(beta2, ess, start, 0.1 * curved, noise, steps=steps)
    expected = fixed_point(0.1 * curved, found.fisher, ess=ess, beta2=beta2, weight_decay=DECAY)
    error = found.hess.std() / np.sqrt(len(found.hess))
    assert found.hess.mean() == pytest.approx(float(expected), abs=4 * error + 0.01 * expected)
    plain = 0.1 * curved + correction_rate(ess, beta2) * found.fisher
    assert found.hess.mean() == pytest.approx(plain, abs=4 * error + 1.3 * (1 - beta2) / 2 * plain)


def test_the_fixed_point_is_one() -> None:
    for c, fisher, decay in [(0.0, 1e-7, 0.0), (0.3, 1e-8, 1e-2), (-0.01, 1e-7, 1e-8)]:
        h = fixed_point(c, fisher, ess=1e8, beta2=0.95, weight_decay=decay)
        squared = h * h - 2 * h * c + 1e8 * (h + decay) * fisher + 2 * c * c
        once = 0.95 * h + 0.05 * c + 0.5 * 0.05**2 * squared / (h + decay)
        assert h > 0
        assert once == pytest.approx(float(h), rel=1e-12)


def test_negative_curvature_keeps_h_positive_and_breaks_the_fixed_point() -> None:
    noise = np.sqrt(1e-3 / correction_rate(1e8, 0.99))
    found = simulate(0.99, 1e8, 0.1, -0.01, noise, steps=1200)
    assert (found.hess > 0).all()
    expected = fixed_point(-0.01, found.fisher, ess=1e8, beta2=0.99, weight_decay=DECAY)
    assert found.hess.mean() > 2 * expected


def test_without_curvature_h_is_exponentially_distributed() -> None:
    found = simulate(0.99, 1e8, 0.1, 0.0, 1e-4, steps=1200)
    relative = found.hess / found.hess.mean()
    assert stats.kstest(relative, "expon").statistic < 0.03
    assert np.median(relative) == pytest.approx(np.log(2), abs=0.05)


def test_with_curvature_it_is_a_gamma_of_the_stated_shape() -> None:
    noise = np.sqrt(0.1 / correction_rate(1e8, 0.99))
    found = simulate(0.99, 1e8, 0.1, 0.2, noise, steps=1200)
    scale = correction_rate(1e8, 0.99) * found.fisher
    shape = 1 + 0.2 / scale
    assert stats.kstest(found.hess, stats.gamma(shape, scale=scale).cdf).statistic < 0.04


@pytest.mark.parametrize("steps", [10, 50, 150, 600])
def test_the_transient_is_the_initial_value_and_the_accumulated_correction(steps: int) -> None:
    found = simulate(0.99, 1e8, 0.05, 0.0, 3e-4, steps=steps)
    means = np.cumsum(found.squares) / np.arange(1, steps + 1)
    correction = accumulated_correction(
        np.arange(1, steps + 1),
        means,
        rate=correction_rate(1e8, 0.99),
        beta2=0.99,
        fisher_beta=1.0,
    )[-1]
    initial = 0.05 * decay_of_h(0.99) ** steps
    error = found.hess.std() / np.sqrt(len(found.hess))
    predicted = initial + correction
    assert found.hess.mean() == pytest.approx(predicted, abs=4 * error)
    expected = relative_spread(np.array(initial), np.array(predicted)).item()
    assert found.hess.std() / found.hess.mean() == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("fisher_beta", [0.9, 0.8, 0.999, 1.0])
def test_any_running_mean_gives_the_same_correction(fisher_beta: float) -> None:
    """From every step exactly; the oracle is the sum itself."""
    squares = np.exp(np.random.default_rng(2).normal(size=(30, 2)))
    steps = np.arange(1, 31)
    fisher, direct = np.empty((30, 2)), np.empty((30, 2))
    for t in steps:
        weights = fisher_beta ** (t - steps[:t].astype(float))
        fisher[t - 1] = weights @ squares[:t] / weights.sum()
        direct[t - 1] = 7.0 * 0.1 * (0.905 ** (t - steps[:t].astype(float))) @ squares[:t]
    found = accumulated_correction(steps, fisher, rate=7.0, beta2=0.9, fisher_beta=fisher_beta)
    np.testing.assert_allclose(found, direct, rtol=1e-9)
    taken = iter(fisher)  # one after the other, and at some steps only
    some = accumulated_correction(
        steps, taken, rate=7.0, beta2=0.9, fisher_beta=fisher_beta, wanted=steps % 10 == 0
    )
    np.testing.assert_array_equal(some, found[9::10])


def test_between_recorded_steps_the_mean_stands_for_the_squares() -> None:
    """Constant squares are found whatever the steps between."""
    steps = np.array([3, 10, 11, 40])
    found = accumulated_correction(
        steps, np.full((4, 1), 2.0), rate=5.0, beta2=0.95, fisher_beta=0.99
    )
    np.testing.assert_allclose(found[:, 0], 10.0 / 0.975 * (1 - 0.95125**steps), rtol=1e-10)


def test_several_draws_divide_the_correction() -> None:
    assert correction_rate(1e8, 0.99, 4) == pytest.approx(1.25e5)


def test_a_step_without_gradient_leaves_the_stated_part() -> None:
    hess = np.array([0.3])
    for _ in range(50):
        hess = update(hess, np.zeros(1), np.zeros(1), 0.9, 1e8)
    assert hess.item() == pytest.approx(0.3 * decay_of_h(0.9) ** 50, rel=1e-4)
