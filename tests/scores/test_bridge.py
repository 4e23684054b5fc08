"""The scores between sensitivity and snr, against averages written out step by step."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from vilora_analysis import scores

STEPS, SHORT, LONG = 9, 0.8, 0.95
SWAPS = ("uncertainty", "horizon", "norm", "weight")
COMBINATIONS = [c for n in range(5) for c in itertools.combinations(SWAPS, n)]


def named(swapped: tuple[str, ...]) -> str:
    known = {(): "sensitivity", ("uncertainty",): "sensitivity_smoothed"}
    return known.get(swapped, "_".join(["bridge", *swapped]))


def drawn() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    return generator.normal(size=(STEPS, 7)), generator.normal(size=(STEPS, 7))


def state() -> dict[str, torch.Tensor]:
    smoothing = scores.Smoothing.for_inputs(
        scores.requirements(scores.names()), beta1=SHORT, beta2=SHORT, fisher_beta=LONG
    )
    for mu, grad in zip(*map(torch.from_numpy, drawn()), strict=True):
        smoothing = smoothing.update(mu, grad)
    return {"mu": torch.from_numpy(drawn()[0][-1]), **smoothing.values}


def naive(swapped: tuple[str, ...]) -> np.ndarray:
    mu, grad = drawn()
    size = np.abs(grad) if "weight" in swapped else np.abs(mu * grad)
    size = size**2 if "norm" in swapped else size
    decay = LONG if "horizon" in swapped else SHORT
    weights = (1 - decay) * decay ** np.arange(STEPS - 1, -1, -1)
    weights = weights / weights.sum() if "horizon" in swapped else weights
    value = weights @ size
    value = np.sqrt(value) if "norm" in swapped else value
    value = np.abs(mu[-1]) * value if "weight" in swapped else value
    return value if "uncertainty" in swapped else value * uncertainty()


def uncertainty() -> np.ndarray:
    mean = deviation = np.zeros(7)
    for mu, grad in zip(*drawn(), strict=True):
        mean = SHORT * mean + (1 - SHORT) * np.abs(mu * grad)
        deviation = SHORT * deviation + (1 - SHORT) * np.abs(np.abs(mu * grad) - mean)
    return deviation


@pytest.mark.parametrize("swapped", COMBINATIONS, ids=named)
def test_each_combination_of_swaps_has_its_score(swapped: tuple[str, ...]) -> None:
    name = named(swapped)
    got = scores.compute([name], state())[name]
    np.testing.assert_allclose(got.numpy(), naive(swapped), rtol=1e-12)


def test_swapping_the_curvature_too_is_snr() -> None:
    """Where h + δ is F̂_B, as the paper argues, the last swap changes nothing but a constant."""
    inputs, ess = state(), 1e6
    inputs["sigma"] = (ess * inputs["fisher_batch"]).rsqrt()
    for before, after in (
        (named(SWAPS), "snr"),
        (named(SWAPS[1:]), "bridge_snr_uncertainty"),
    ):
        found = scores.compute([before, after], inputs)
        torch.testing.assert_close(found[after], found[before] * ess**0.5)


def test_the_family_holds_what_no_other_name_has() -> None:
    known = {"sensitivity", "sensitivity_smoothed"}
    between = {named(c) for c in COMBINATIONS} - known
    assert set(scores.family("bridge")) == between | {"bridge_snr_uncertainty"}
    assert not set(scores.family("bridge")) & set(scores.family("all"))


def test_equations_name_every_ingredient() -> None:
    equation = scores.get("bridge_horizon_norm_weight").equation
    assert equation == "|θ| · sqrt(F̂_B) · Ū"
    assert scores.get("bridge_uncertainty_horizon").inputs == ("sens_ema_long",)
