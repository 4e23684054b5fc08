"""Every element score against mpmath over the whole range of float32, and what is too large."""

from __future__ import annotations

import math
from collections.abc import Mapping

import mpmath
import numpy as np
import pytest
import torch
from mpmath import mpf

from tests.conftest import adalora, tiny_bert
from tests.faults.exact_scores import EXACT, LARGEST, SMALLEST_NORMAL, draw_inputs
from tests.faults.soak import count
from vilora_analysis import scores
from vilora_analysis.allocation import triplet_score
from vilora_analysis.errors import ScoreError
from vilora_analysis.posterior import Snapshot
from vilora_analysis.scores.smoothing import Smoothing
from vilora_analysis.triplets import TripletLayout

ELEMENT_SCORES = [
    name
    for word in ("all", "bridge", "audit")
    for name in scores.family(word)
    if scores.get(name).level == "element"
]

LIMIT = {"snr_abs": 6e-7}
"""Relative errors that are allowed beyond 2.5e-7, four roundings of float32."""

UNIT = mpf(2) ** -149
TOO_LARGE = LARGEST + mpf(2) ** 103  # from here on the nearest float32 is infinite


def test_every_element_score_has_an_exact_form() -> None:
    registered = {n for n in scores.names() if scores.get(n).level == "element"}
    assert registered <= set(ELEMENT_SCORES)
    assert set(ELEMENT_SCORES) == set(EXACT)


def middle(name: str, values: Mapping[str, mpf]) -> mpf:
    """The second largest of three factors: what a product of the others is multiplied by last."""
    factors = [1 / v if key == "sigma" else abs(v) for key, v in values.items()]
    if name in ("fisher", "obd"):
        factors.append(abs(values["mu"]))
    return sorted(factors)[1] if len(factors) == 3 else mpf(0)


def is_wrong(name: str, got: float, values: Mapping[str, mpf]) -> bool:
    """Whether a value is further from the truth than its score may be.

    A subnormal number has lost digits before any score sees it, and one on the way loses them; what
    is left is a unit of the smallest, times what is multiplied last.
    """
    truth = EXACT[name](values)
    if abs(truth) >= TOO_LARGE:
        return not math.isinf(got)
    if not math.isfinite(got):
        return True
    allowed = LIMIT.get(name, 2.5e-7) * abs(truth)
    if any(0 < abs(v) < SMALLEST_NORMAL for v in (truth, *values.values())):
        allowed += 2 * UNIT * (1 + middle(name, values))
    return bool(abs(mpf(got) - truth) > allowed)


@pytest.mark.parametrize("name", ELEMENT_SCORES)
def test_a_score_is_exact_over_the_whole_range_of_float32(name: str) -> None:
    item = scores.get(name)
    points = count(250, 20_000)
    inputs = draw_inputs(item.inputs, points, seed=len(name))
    got = item(**{key: torch.tensor(value) for key, value in inputs.items()}).tolist()
    rows = [{key: float(value[at]) for key, value in inputs.items()} for at in range(points)]
    failed = [
        (row, value)
        for row, value in zip(rows, got, strict=True)
        if is_wrong(name, value, {key: mpf(number) for key, number in row.items()})
    ]
    assert not failed[:3]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ELEMENT_SCORES)
def test_half_precision_is_computed_in_single(name: str, dtype: torch.dtype) -> None:
    item = scores.get(name)
    generator = torch.Generator().manual_seed(0)
    half = {key: (torch.rand(200, generator=generator) * 8 + 0.1).to(dtype) for key in item.inputs}
    got = item(**half)
    assert got.dtype == torch.float32
    assert torch.equal(got, item(**{key: value.float() for key, value in half.items()}))


def test_the_layout_widens_half_precision_without_loss() -> None:
    layout = TripletLayout.from_model(adalora(tiny_bert()))
    tensors = [torch.randn(layout.shapes[name]).bfloat16() for name in layout.parameter_names]
    flat = layout.gather(tensors)
    assert flat.dtype == torch.float32
    assert torch.equal(flat, torch.cat([tensor.flatten() for tensor in tensors]).float())


def whole_snapshot(**values: float) -> Snapshot:
    """All elements alike, but for the last of the first block."""
    layout = TripletLayout.from_model(adalora(tiny_bert()))
    inputs = {}
    for name in scores.INPUTS:
        inputs[name] = torch.ones(layout.n_elements)
        inputs[name][7] = values.get(name, 1.0)
    return Snapshot(3, layout, inputs)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"mu": 3e38, "sigma": 1e-10}, "sigma = 1e-10"),
        ({"mu": float("nan")}, "mu = nan"),
        ({"sigma": 0.0, "mu": 0.0}, "sigma = 0"),
        ({"sigma": 0.0}, "sigma = 0"),
        ({"sigma": float("inf"), "mu": float("inf")}, "sigma = inf"),
    ],
)
@pytest.mark.parametrize("name", ["snr", "snr_abs", "log_density_drop"])
def test_what_is_no_number_stops_with_score_module_and_k(
    name: str, values: dict[str, float], told: str
) -> None:
    """The rule for a true result beyond float32, and for inputs that are no numbers."""
    snapshot = whole_snapshot(**values)
    module, k, factor = snapshot.layout.locate(7)
    with pytest.raises(ScoreError) as caught:
        triplet_score(name, snapshot)
    said = str(caught.value)
    for part in (f"'{name}'", f"{module}[{k}]", "step 3", told, f"factor {factor}"):
        assert part in said


def test_a_ratio_near_the_end_of_the_range_is_not_lost() -> None:
    """2 r is infinite there, which is 0·∞ in SNR(|theta|) unless it is kept out."""
    mu, sigma = torch.tensor([2.5e38, 3e38, 3e38]), torch.tensor([1.0, 1.0, 0.1])
    got = scores.get("snr_abs")(mu=mu, sigma=sigma)
    assert torch.equal(got, mu / sigma)
    assert got[2].isinf()


def test_half_a_square_is_not_too_large_before_it_is_halved() -> None:
    largest = torch.tensor([float(LARGEST)])
    for name, key in (("obd", "hess"), ("fisher", "fisher_batch")):
        got = scores.get(name)(**{"mu": torch.tensor([1.2]), key: largest})
        assert float(got) == pytest.approx(0.5 * 1.44 * float(LARGEST), rel=3e-7)


@pytest.mark.parametrize("beta", [0.85, 0.999])
def test_running_averages_are_the_recursions_of_their_papers(beta: float) -> None:
    """AdaLoRA's equations 9 and 10 from zero, and debiased means, in many digits."""
    generator = np.random.default_rng(1)
    names = [name for name, item in scores.INPUTS.items() if item.origin == "smoothing"]
    state = Smoothing.for_inputs(names, fisher_beta=beta)
    means: dict[str, mpf] = {}
    weight = mpf(0)
    for _ in range(count(40, 2_000)):
        mu, grad = (generator.normal() * 10.0 ** generator.uniform(-6, 3) for _ in range(2))
        mu, grad = np.float32(mu), np.float32(grad)
        state = state.update(torch.tensor([mu]), torch.tensor([grad]))
        product, size = abs(mpf(float(mu)) * mpf(float(grad))), abs(mpf(float(grad)))
        short, long = mpf(0.85), mpf(beta)
        weight = long * weight + (1 - long)
        now = {
            "sens_ema": (product, short),
            "sens_ema_long": (product, long),
            "sens_sq_ema": (product**2, short),
            "sens_sq_ema_long": (product**2, long),
            "grad_abs_ema": (size, short),
            "grad_abs_ema_long": (size, long),
            "grad_sq_ema": (size**2, short),
            "fisher_batch": (size**2, long),
        }
        for name, (value, decay) in now.items():
            means[name] = decay * means.get(name, mpf(0)) + (1 - decay) * value
        deviation = abs(product - means["sens_ema"])
        means["unc_ema"] = short * means.get("unc_ema", mpf(0)) + (1 - short) * deviation
    for name in names:
        debiased = name.endswith("_long") or name == "fisher_batch"
        truth = means[name] / weight if debiased else means[name]
        error = abs(mpf(float(state.values[name])) / truth - 1)
        assert error < 2e-6 * (1 + count(0, 20)), (name, mpmath.nstr(error, 3))
