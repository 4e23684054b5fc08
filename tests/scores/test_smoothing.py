"""Running averages against naive loops; AdaLoRA's against PEFT's own allocator elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vilora_analysis.errors import ConfigError
from vilora_analysis.scores import Smoothing

STEPS = 12


def drawn(seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(5, generator=generator), torch.randn(5, generator=generator))
        for _ in range(STEPS)
    ]


def run(state: Smoothing) -> Smoothing:
    for mu, grad in drawn():
        state = state.update(mu, grad)
    return state


def test_sensitivity_averages_equal_a_naive_loop() -> None:
    got = run(Smoothing.for_inputs(["sens_ema", "unc_ema"], beta1=0.8, beta2=0.6))
    mean, uncertainty = np.zeros(5), np.zeros(5)
    for mu, grad in drawn():
        now = np.abs(mu.double().numpy() * grad.double().numpy())
        mean = 0.8 * mean + 0.2 * now
        uncertainty = 0.6 * uncertainty + 0.4 * np.abs(now - mean)
    np.testing.assert_allclose(got.values["sens_ema"], mean, rtol=1e-5)
    np.testing.assert_allclose(got.values["unc_ema"], uncertainty, rtol=1e-5)
    assert got.count == STEPS


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.99, 0.99999, 1.0])
def test_fisher_is_the_debiased_average(beta: float) -> None:
    got = run(Smoothing.for_inputs(["fisher_batch"], fisher_beta=beta))
    weights = np.array([beta ** (STEPS - 1 - i) for i in range(STEPS)])
    squares = np.stack([grad.double().numpy() ** 2 for _, grad in drawn()])
    np.testing.assert_allclose(
        got.values["fisher_batch"], np.average(squares, axis=0, weights=weights), rtol=2e-5
    )


def test_only_what_is_needed_is_kept() -> None:
    assert set(run(Smoothing.for_inputs(["mu", "sigma"])).values) == set()
    assert set(run(Smoothing.for_inputs(["fisher_batch"])).values) == {"fisher_batch"}
    assert set(run(Smoothing.for_inputs(["unc_ema"])).values) == {"sens_ema", "unc_ema"}


def test_an_update_leaves_the_old_state_alone() -> None:
    old = Smoothing.for_inputs(["sens_ema"]).update(torch.ones(2), torch.ones(2))
    kept = old.values["sens_ema"].clone()
    old.update(torch.full((2,), 9.0), torch.ones(2))
    assert torch.equal(old.values["sens_ema"], kept)
    assert old.count == 1


@pytest.mark.parametrize("setting", [{"beta1": 1.0}, {"beta2": -0.1}, {"fisher_beta": 1.5}])
def test_decays_outside_their_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        Smoothing.for_inputs(["sens_ema"], **setting)
