"""Every published score against 60 digits of mpmath, and against scipy's folded normal."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vilora_analysis import scores

mpmath.mp.dps = 120

RATIOS = np.concatenate([[0.0], np.logspace(-8, 6, 400)]).astype(np.float32)


def exact_folded(mu: float, sigma: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """E|theta| and SNR(|theta|) as the paper prints them, in 120 digits: no cancellation left."""
    m, s = mpmath.mpf(mu), mpmath.mpf(sigma)
    density = mpmath.exp(-(m**2) / (2 * s**2))
    mean = m * mpmath.erf(m / s / mpmath.sqrt(2)) + 2 * s / mpmath.sqrt(2 * mpmath.pi) * density
    return mean, mean / mpmath.sqrt(s**2 + m**2 - mean**2)


def relative_error(got: torch.Tensor, exact: list[mpmath.mpf]) -> float:
    pairs = zip(got.tolist(), exact, strict=True)
    return max(float(abs(mpmath.mpf(value) / truth - 1)) for value, truth in pairs)


@pytest.mark.parametrize("sigma", [1e-6, 0.0038, 1.0, 250.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_folded_scores_keep_six_digits_up_to_a_million(sigma: float, sign: float) -> None:
    scale = torch.full((len(RATIOS),), sigma)
    mu = sign * torch.tensor(RATIOS) * scale
    got = scores.compute(["expected_abs", "snr_abs"], {"mu": mu, "sigma": scale})
    exact = [exact_folded(float(m), float(s)) for m, s in zip(mu, scale, strict=True)]
    assert relative_error(got["expected_abs"], [mean for mean, _ in exact]) < 1e-6
    assert relative_error(got["snr_abs"], [ratio for _, ratio in exact]) < 1e-6


@given(st.floats(0, 1e6, width=32), st.floats(2**-20, 2**10, width=32))
def test_snr_abs_keeps_six_digits_anywhere(ratio: float, sigma: float) -> None:
    scale = torch.tensor([sigma])
    mu = torch.tensor([ratio]) * scale
    got = scores.get("snr_abs")(mu=mu, sigma=scale)
    assert relative_error(got, [exact_folded(float(mu), float(scale))[1]]) < 1e-6


def test_published_form_breaks_down_where_ours_does_not() -> None:
    """The reason for our form: in float32 the printed one ends in 0/0 or x/0 from 1e4 on."""
    mu, sigma = torch.tensor([1e4, 1e5]), torch.tensor([1.0, 1.0])
    mean = scores.get("expected_abs")(mu=mu, sigma=sigma)
    published = mean / (sigma**2 + mu**2 - mean**2).sqrt()
    assert not published.isfinite().any()
    assert scores.get("snr_abs")(mu=mu, sigma=sigma).tolist() == pytest.approx([1e4, 1e5])


def test_snr_abs_at_zero_is_its_floor() -> None:
    got = scores.get("snr_abs")(mu=torch.zeros(1), sigma=torch.ones(1))
    assert float(got) == pytest.approx(1 / np.sqrt(np.pi / 2 - 1), rel=1e-6)


def test_folded_scores_agree_with_scipy() -> None:
    mu, sigma = torch.linspace(-3, 3, 25), torch.linspace(0.2, 2, 25)
    folded = stats.foldnorm(mu.abs().numpy() / sigma.numpy(), scale=sigma.numpy())
    got = scores.compute(["expected_abs", "snr_abs"], {"mu": mu, "sigma": sigma})
    np.testing.assert_allclose(got["expected_abs"], folded.mean(), rtol=2e-6)
    np.testing.assert_allclose(got["snr_abs"], folded.mean() / folded.std(), rtol=2e-5)


def test_snr_abs_ranks_elements_as_snr_does() -> None:
    """Both are monotone in |mu|/sigma, so only aggregation over a triplet can tell them apart.

    Below a ratio of about 0.03 neighbours lie closer to the floor than float32 resolves.
    """
    ratio = torch.logspace(-1, 6, 500)
    assert (scores.get("snr_abs")(mu=ratio, sigma=torch.ones(500)).diff() >= 0).all()


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("mean_abs", lambda v: abs(v["mu"])),
        ("inverse_std", lambda v: 1 / v["sigma"]),
        ("snr", lambda v: abs(v["mu"]) / v["sigma"]),
        ("sensitivity_raw", lambda v: abs(v["mu"] * v["grad"])),
        ("sensitivity_smoothed", lambda v: v["sens_ema"]),
        ("sensitivity_uncertainty", lambda v: v["unc_ema"]),
        ("sensitivity", lambda v: v["sens_ema"] * v["unc_ema"]),
    ],
)
def test_closed_forms_in_many_digits(name: str, formula: object) -> None:
    generator = torch.Generator().manual_seed(0)
    score = scores.get(name)
    drawn = {key: torch.randn(64, generator=generator) for key in score.inputs}
    positive = ("sigma", "hess", "sens_ema", "unc_ema")
    inputs = {key: v.abs() + 0.1 if key in positive else v for key, v in drawn.items()}
    exact = [
        formula({key: mpmath.mpf(float(values[i])) for key, values in inputs.items()})  # type: ignore[operator]
        for i in range(64)
    ]
    assert relative_error(score(**inputs), exact) < 3e-7
