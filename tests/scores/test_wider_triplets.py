"""Scores of whole triplets against loops over the elements of each, on all modules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from tests.conftest import adalora, batches, tiny_bert
from tests.scores.snapshots import (
    SIGNED,
    layout_of,
    naive_triplets,
    random_snapshot,
    without_penalty,
)
from vilora_analysis import scores
from vilora_analysis.allocation import triplet_score
from vilora_analysis.errors import ScoreError
from vilora_analysis.posterior import Snapshot
from vilora_analysis.scores.evaluate import score_triplets
from vilora_analysis.triplets import TripletLayout

Triplet = Mapping[str, Mapping[str, list[float]]]
WHOLE = [name for name in scores.names() if scores.get(name).level == "triplet"]


def norm(values: list[float]) -> float:
    return math.sqrt(math.fsum(v * v for v in values))


def products(t: Triplet) -> list[float]:
    return [m * g for f in t for m, g in zip(t[f]["mu"], t[f]["grad"], strict=True)]


def folded_ratios(t: Triplet) -> float:
    """Mean over each factor of the folded normal's mean by its deviation, in double precision."""
    means = []
    for f in t:
        scale = np.array(t[f]["sigma"])
        folded = stats.foldnorm(np.abs(t[f]["mu"]) / scale, scale=scale)
        means.append(float(np.mean(folded.mean() / folded.std())))
    return math.fsum(means)


NAIVE: dict[str, Callable[[Triplet], float]] = {
    "value_abs": lambda t: abs(t["E"]["mu"][0]),
    "triplet_norm": lambda t: math.prod(norm(t[f]["mu"]) for f in t),
    "group_taylor": lambda t: math.fsum(products(t)) ** 2,
    "group_fisher": lambda t: t["E"]["fisher_batch"][0] * t["E"]["mu"][0] ** 2 / 2,
    "snr_abs_float32": folded_ratios,
}


def values_of(name: str, snapshot: Snapshot) -> torch.Tensor:
    return score_triplets([name], snapshot)[name].total


@pytest.mark.parametrize("kind", ["adalora", "lora"])
@pytest.mark.parametrize("name", NAIVE)
def test_score_equals_a_loop_over_elements(name: str, kind: str) -> None:
    layout = layout_of(kind)
    if set(scores.get(name).needs_factors) - set(layout.factors):
        with pytest.raises(ScoreError, match=f"'{name}' needs the factor E, .* has A, B"):
            values_of(name, random_snapshot(layout))
        return
    snapshot = random_snapshot(layout)
    expected = torch.tensor([NAIVE[name](t) for t in naive_triplets(snapshot)])
    torch.testing.assert_close(values_of(name, snapshot), expected, rtol=1e-4, atol=1e-5)


def test_every_score_but_the_control_has_its_loop() -> None:
    assert set(WHOLE) - set(NAIVE) == {"random"}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-8, 1.0, 1e5])
def test_score_is_finite_and_not_negative(name: str, scale: float) -> None:
    snapshot = random_snapshot(layout_of())
    scaled = {k: v * scale if k in SIGNED else v for k, v in snapshot.inputs.items()}
    got = values_of(name, replace(snapshot, inputs=scaled))
    assert got.isfinite().all()
    assert (got >= 0).all()
    assert (got.shape, got.dtype) == ((39,), torch.float32)


@pytest.mark.parametrize("name", sorted(set(WHOLE) - {"random"}))
def test_score_does_not_depend_on_the_sign_of_the_parameter(name: str) -> None:
    snapshot = random_snapshot(layout_of())
    mirrored = {k: -v if k in SIGNED else v for k, v in snapshot.inputs.items()}
    assert torch.equal(
        values_of(name, snapshot), values_of(name, replace(snapshot, inputs=mirrored))
    )


@pytest.mark.parametrize("name", sorted(set(scores.names()) - {"random"}))
def test_score_follows_a_permutation_of_the_ranks(name: str) -> None:
    """Turning every module's ranks round turns its scores round."""
    snapshot = random_snapshot(layout_of())
    turned = {key: turn(snapshot.layout, flat) for key, flat in snapshot.inputs.items()}
    got = values_of(name, replace(snapshot, inputs=turned)).view(-1, 3)
    torch.testing.assert_close(got.flip(1), values_of(name, snapshot).view(-1, 3))


def turn(layout: TripletLayout, flat: torch.Tensor) -> torch.Tensor:
    pieces = []
    for block in layout.blocks:
        stacked, _ = block.view(flat)
        pieces.append(stacked.flip(-1 if block.factor == "B" else -2).reshape(-1))
    return torch.cat(pieces)


def test_other_spellings() -> None:
    snapshot = random_snapshot(layout_of())
    for name, spelled in (("value_abs", "mean_abs@E"), ("group_fisher", "fisher@E")):
        assert torch.equal(values_of(name, snapshot), values_of(spelled, snapshot))


def test_group_taylor_is_bounded_by_the_elements() -> None:
    snapshot = random_snapshot(layout_of())
    group = values_of("group_taylor", snapshot)
    n = torch.tensor([len(products(t)) for t in naive_triplets(snapshot)])
    assert (group <= n * values_of("taylor@sum", snapshot)).all()  # Cauchy and Schwarz
    assert (group <= values_of("sensitivity_raw@sum", snapshot) ** 2 * 1.0001).all()  # triangle


def test_the_three_factors_tell_the_same_to_first_order() -> None:
    """Euler: without the penalty, each factor's sum of θ g is the derivative by a mask."""
    model = adalora(tiny_bert())
    layout = TripletLayout.from_model(model)
    named = dict(model.named_parameters())
    parameters = [named[name] for name in layout.parameter_names]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    without_penalty(model, next(batches(1))).backward()
    flat = layout.gather(p.detach() for p in parameters)
    grad = layout.gather(p.grad for p in parameters)
    sums = layout.reduce(flat * grad, "sum")
    assert sums["E"].abs().max() > 1e-3
    for factor in "AB":
        torch.testing.assert_close(sums[factor], sums["E"], rtol=1e-3, atol=1e-6)
    got = values_of("group_taylor", Snapshot(1, layout, {"mu": flat, "grad": grad}))
    torch.testing.assert_close(got, 9 * sums["E"] ** 2, rtol=1e-2, atol=1e-8)


def lowbias32(x: int) -> int:
    x = ((x ^ (x >> 16)) * 0x7FEB352D) % 2**32
    x = ((x ^ (x >> 15)) * 0x846CA68B) % 2**32
    return x ^ (x >> 16)


@pytest.mark.parametrize("step", [1, 2, 600, 10**6])
def test_random_is_a_hash_of_step_and_triplet(step: int) -> None:
    snapshot = random_snapshot(layout_of(), step=step)
    state = torch.get_rng_state()
    got = values_of("random", snapshot)
    assert torch.equal(torch.get_rng_state(), state)
    exact = [(lowbias32(lowbias32(step) ^ k) >> 8) / 2**24 for k in range(39)]
    assert got.tolist() == exact
    again = random_snapshot(layout_of(), step=step, seed=5)  # whatever the triplets hold
    assert torch.equal(values_of("random", again), got)


def test_random_is_uniform_and_new_at_each_step() -> None:
    drawn = torch.stack(
        [scores.get("random")(step=s, triplet=torch.arange(500)) for s in range(40)]
    )
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(float(drawn.mean()) - 0.5) < 0.01
    assert abs(float(drawn.var()) - 1 / 12) < 0.003
    between = torch.corrcoef(drawn) - torch.eye(40)
    assert between.abs().max() < 0.25


def test_what_is_not_finite_is_named() -> None:
    snapshot = random_snapshot(layout_of())
    wrong = snapshot.inputs["grad"].clone()
    wrong[3] = torch.nan
    broken = replace(snapshot, inputs={**snapshot.inputs, "grad": wrong})
    module, k, factor = snapshot.layout.locate(3)
    with pytest.raises(
        ScoreError, match=rf"'group_taylor' .* is nan: .*grad = nan \(factor {factor}"
    ):
        triplet_score("group_taylor", broken)
    assert f"{module}[{k}]" in snapshot.layout.triplet_names
