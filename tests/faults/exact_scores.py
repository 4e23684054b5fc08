"""Every element score once more, in 80 digits of mpmath, written from its equation alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mpmath
import numpy as np
from mpmath import mpf

__all__ = ["EXACT", "LARGEST", "SMALLEST_NORMAL", "Exact", "draw_inputs"]

mpmath.mp.dps = 120

LARGEST = mpf(2) ** 128 - mpf(2) ** 104
SMALLEST_NORMAL = mpf(2) ** -126

Exact = Callable[[Mapping[str, mpf]], mpf]

_SIGNED = frozenset({"mu", "grad", "hess"})
_EDGES = (2.0**-149, 2.0**-140, 2.0**-127, 2.0**-126, 1.0, 2.0**127, float(LARGEST))


def _folded(v: Mapping[str, mpf]) -> tuple[mpf, mpf]:
    """E|theta| and its ratio to the standard deviation, as printed.

    Beyond 15 standard deviations they differ from |mu| and |mu|/sigma by less than 1e-47 of it,
    where 120 digits are soon too few for the printed form.
    """
    m, s = abs(v["mu"]), v["sigma"]
    if m > 15 * s:
        return m, m / s
    density = mpmath.exp(-(m**2) / (2 * s**2))
    mean = m * mpmath.erf(m / s / mpmath.sqrt(2)) + 2 * s / mpmath.sqrt(2 * mpmath.pi) * density
    return mean, mean / mpmath.sqrt(s**2 + m**2 - mean**2)


def _root(name: str) -> Exact:
    return lambda v: mpmath.sqrt(v[name])


def _plain(name: str) -> Exact:
    return lambda v: v[name]


def _times(*factors: Exact) -> Exact:
    return lambda v: mpmath.fprod(factor(v) for factor in factors)


def _magnitude(v: Mapping[str, mpf]) -> mpf:
    return abs(v["mu"])


_U = _plain("unc_ema")

EXACT: dict[str, Exact] = {
    "mean_abs": _magnitude,
    "inverse_std": lambda v: 1 / v["sigma"],
    "snr": lambda v: abs(v["mu"]) / v["sigma"],
    "snr_abs": lambda v: _folded(v)[1],
    "expected_abs": lambda v: _folded(v)[0],
    "sensitivity_raw": lambda v: abs(v["mu"] * v["grad"]),
    "sensitivity_smoothed": _plain("sens_ema"),
    "sensitivity_uncertainty": _U,
    "sensitivity": lambda v: v["sens_ema"] * v["unc_ema"],
    "fisher": lambda v: v["fisher_batch"] * v["mu"] ** 2 / 2,
    "obd": lambda v: v["hess"] * v["mu"] ** 2 / 2,
    "taylor": lambda v: (v["mu"] * v["grad"]) ** 2,
    "gradient_accumulated": _plain("fisher_batch"),
    "wald": lambda v: abs(v["mu"]) / (mpf("0.001") + v["sigma"]),
    "log_density_drop": lambda v: (v["mu"] / v["sigma"]) ** 2 / 2,
    "bridge_snr_uncertainty": lambda v: abs(v["mu"]) / v["sigma"] * v["unc_ema"],
    "bridge_horizon": _times(_plain("sens_ema_long"), _U),
    "bridge_norm": _times(_root("sens_sq_ema"), _U),
    "bridge_weight": _times(_magnitude, _plain("grad_abs_ema"), _U),
    "bridge_uncertainty_horizon": _plain("sens_ema_long"),
    "bridge_uncertainty_norm": _root("sens_sq_ema"),
    "bridge_uncertainty_weight": _times(_magnitude, _plain("grad_abs_ema")),
    "bridge_horizon_norm": _times(_root("sens_sq_ema_long"), _U),
    "bridge_horizon_weight": _times(_magnitude, _plain("grad_abs_ema_long"), _U),
    "bridge_norm_weight": _times(_magnitude, _root("grad_sq_ema"), _U),
    "bridge_uncertainty_horizon_norm": _root("sens_sq_ema_long"),
    "bridge_uncertainty_horizon_weight": _times(_magnitude, _plain("grad_abs_ema_long")),
    "bridge_uncertainty_norm_weight": _times(_magnitude, _root("grad_sq_ema")),
    "bridge_horizon_norm_weight": _times(_magnitude, _root("fisher_batch"), _U),
    "bridge_uncertainty_horizon_norm_weight": _times(_magnitude, _root("fisher_batch")),
}
"""By name: a function of exact inputs."""


def draw_inputs(names: tuple[str, ...], points: int, seed: int) -> dict[str, np.ndarray]:
    """Values of the whole float32 range by input: every edge, zero, and any exponent between.

    Half of the standard deviations lie within 10^8 of the mean, where the folded normal bends.
    """
    generator = np.random.default_rng(seed)
    drawn = {name: _any_exponent(generator, points) for name in names}
    if {"mu", "sigma"} <= drawn.keys():
        near = np.abs(drawn["mu"][::2]) * 10.0 ** generator.uniform(-8, 8, len(drawn["mu"][::2]))
        drawn["sigma"][::2] = near
    values = {name: np.clip(v, 0, float(LARGEST)).astype(np.float32) for name, v in drawn.items()}
    for name, value in values.items():
        if name == "sigma":
            value[value == 0] = np.float32(2.0**-149)
        else:
            value[generator.random(points) < 0.02] = 0.0
        if name in _SIGNED:
            values[name] = value * generator.choice(np.array([-1, 1], dtype=np.float32), points)
    return values


def _any_exponent(generator: np.random.Generator, points: int) -> np.ndarray:
    values = 2.0 ** generator.uniform(-149, 128, points)
    edges = generator.choice(np.array(_EDGES), points)
    return np.where(generator.random(points) < 0.15, edges, values)
