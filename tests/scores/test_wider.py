"""The wider family against mpmath, and the identities that its documentation states."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mpmath
import pytest
import torch

from vilora_analysis import scores
from vilora_analysis.scores import Smoothing
from vilora_analysis.scores.wider import WALD_OFFSET

mpmath.mp.dps = 60
N = 200
ESS, DELTA = 500.0, 1e-2

FORMULAS: dict[str, Callable[[Mapping[str, mpmath.mpf]], mpmath.mpf]] = {
    "fisher": lambda v: v["fisher_batch"] * v["mu"] ** 2 / 2,
    "obd": lambda v: v["hess"] * v["mu"] ** 2 / 2,
    "taylor": lambda v: (v["mu"] * v["grad"]) ** 2,
    "gradient_accumulated": lambda v: v["fisher_batch"],
    "wald": lambda v: abs(v["mu"]) / (mpmath.mpf("0.001") + v["sigma"]),
    "log_density_drop": lambda v: (
        mpmath.log(mpmath.npdf(v["mu"], v["mu"], v["sigma"]))
        - mpmath.log(mpmath.npdf(0, v["mu"], v["sigma"]))
    ),
}


def inputs(seed: int = 0, delta: float = DELTA) -> dict[str, torch.Tensor]:
    """Of IVON's own form: sigma belongs to hess, ess and weight decay."""
    generator = torch.Generator().manual_seed(seed)
    mu, grad, hess, fisher = (
        torch.randn(N, generator=generator, dtype=torch.float64) for _ in range(4)
    )
    hess, fisher = hess.exp(), fisher.exp()
    sigma = (ESS * (hess + delta)).rsqrt()
    return {"mu": mu, "grad": grad, "hess": hess, "sigma": sigma, "fisher_batch": fisher}


def of(name: str, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return scores.compute([name], values)[name]


@pytest.mark.parametrize("name", FORMULAS)
def test_formula_in_many_digits(name: str) -> None:
    single = {key: value.float() for key, value in inputs().items()}
    got = of(name, single).tolist()
    for i, value in enumerate(got):
        exact = FORMULAS[name]({k: mpmath.mpf(float(v[i])) for k, v in single.items()})
        assert abs(mpmath.mpf(value) / exact - 1) < 1e-6


def test_snr_squared_is_curvature_times_the_square_of_the_mean() -> None:
    values = inputs()
    mu2, squared = values["mu"] ** 2, of("snr", values) ** 2
    torch.testing.assert_close(squared, ESS * (values["hess"] + DELTA) * mu2)
    torch.testing.assert_close(squared, 2 * ESS * of("obd", values) + ESS * DELTA * mu2)
    torch.testing.assert_close(of("log_density_drop", values), squared / 2)


def test_snr_ranks_elements_as_obd_does_without_weight_decay() -> None:
    values = inputs(delta=0.0)
    assert torch.equal(of("snr", values).argsort(), of("obd", values).argsort())
    torch.testing.assert_close(of("log_density_drop", values), ESS * of("obd", values))
    decayed = inputs(delta=10.0)
    assert not torch.equal(of("snr", decayed).argsort(), of("obd", decayed).argsort())


def test_fisher_and_sensitivity() -> None:
    values = inputs()
    torch.testing.assert_close(of("taylor", values), of("sensitivity_raw", values) ** 2)
    torch.testing.assert_close(
        of("fisher", values), of("gradient_accumulated", values) * values["mu"] ** 2 / 2
    )
    state = Smoothing.for_inputs(["fisher_batch"], fisher_beta=0.0)
    for _ in range(3):
        state = state.update(values["mu"], values["grad"])
    torch.testing.assert_close(of("fisher", values | state.values), of("taylor", values) / 2)


def test_snr_is_rms_sensitivity_where_the_hessian_is_the_fisher() -> None:
    values = inputs(delta=0.0)
    values["fisher_batch"] = values["hess"]
    rms = values["mu"].abs() * values["fisher_batch"].sqrt()
    torch.testing.assert_close(of("obd", values), of("fisher", values))
    torch.testing.assert_close(of("snr", values), ESS**0.5 * rms)
    torch.testing.assert_close(of("snr", values), (2 * ESS * of("fisher", values)).sqrt())


def test_wald_lies_below_both_of_its_limits() -> None:
    values = inputs()
    assert (of("wald", values) <= of("snr", values)).all()
    assert (of("wald", values) <= of("mean_abs", values) / WALD_OFFSET).all()
    for factor, limit in ((1e-12, values["mu"].abs() / WALD_OFFSET), (1e12, None)):
        moved = values | {"sigma": values["sigma"] * factor}
        torch.testing.assert_close(of("wald", moved), of("snr", moved) if limit is None else limit)


def test_platon_is_adaloras_score() -> None:
    assert scores.get("PLATON") == scores.get("sensitivity")
