"""A plant has the rank it says, every rank of it is needed, and it does what it was scaled to."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.probes.planted_world import drawn, encoder, texts
from vilora_analysis.errors import ConfigError
from vilora_analysis.probes.planted import PlantedTask, draw_ranks
from vilora_analysis.probes.planted.outputs import outputs_of, squared_error
from vilora_analysis.probes.planted.plant import (
    Plant,
    draw_plants,
    planted,
    relative_change,
    whitened_directions,
)
from vilora_analysis.probes.planted.teacher import effects, make_teacher


def test_the_teacher_differs_by_the_planted_ranks_where_they_were_planted() -> None:
    bare = encoder()
    plants = drawn(
        bare, {"encoder.layer.0.output.dense": 3, "encoder.layer.1.attention.self.key": 1}
    )
    teacher = make_teacher(bare, plants)
    before = dict(bare.named_parameters())
    changed = {
        name: int(np.linalg.matrix_rank((after - before[name]).detach().double(), tol=1e-5))
        for name, after in teacher.named_parameters()
        if not torch.equal(after, before[name])
    }
    assert changed == {
        "encoder.layer.0.output.dense.weight": 3,
        "encoder.layer.1.attention.self.key.weight": 1,
    }


def test_ranks_are_drawn_from_one_to_the_highest_in_distinct_modules() -> None:
    names = [f"m{i}" for i in range(30)]
    seen = [draw_ranks(PlantedTask(seed=seed, modules=8), names) for seed in range(40)]
    assert all(len(ranks) == 8 for ranks in seen)
    assert {rank for ranks in seen for rank in ranks.values()} == set(range(1, 5))
    assert {name for ranks in seen for name in ranks} == set(names)
    assert draw_ranks(PlantedTask(seed=3), names) == draw_ranks(PlantedTask(seed=3), names)
    with pytest.raises(ConfigError, match="the encoder has 30 linear layers; plant fewer"):
        draw_ranks(PlantedTask(modules=31), names)


def test_responses_are_uncorrelated_of_variance_one_and_mean_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(20, 20, generator=generator)
    inputs = torch.randn(500, 20, generator=generator) @ mixing + 30.0
    into = whitened_directions(inputs, 4, generator)
    responses = (inputs.double() @ into.double().T).numpy()
    np.testing.assert_allclose(responses.mean(0), 0.0, atol=1e-3)
    np.testing.assert_allclose(np.cov(responses.T, bias=True), np.eye(4), atol=1e-3)


def test_any_lower_rank_leaves_its_share_of_the_change_undone() -> None:
    """The best rank-k fit to the module's change, by an SVD of the change itself."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(400, 16, generator=generator) * torch.linspace(1, 3, 16) + 5.0
    into = whitened_directions(inputs, 4, generator)
    out, _ = torch.linalg.qr(torch.randn(10, 4, generator=generator))
    change = (inputs @ Plant("m", out, into, 0.3).update.T).double()
    squares = torch.linalg.svdvals(change).square()
    for k in range(4):
        assert float(squares[k:].sum() / squares.sum()) == pytest.approx((4 - k) / 4, abs=1e-3)


def test_inputs_that_do_not_vary_enough_are_refused() -> None:
    flat = torch.ones(30, 8) + torch.arange(30.0)[:, None] * torch.ones(8)
    with pytest.raises(ConfigError, match="too few directions for a plant of rank 2"):
        whitened_directions(flat, 2, torch.Generator())


def test_each_plant_alone_changes_the_outputs_by_its_share() -> None:
    bare = encoder()
    plants = drawn(bare)
    before = {name: value.clone() for name, value in bare.state_dict().items()}
    found = effects(bare, plants, texts())
    for plant, row in zip(plants, found.itertuples(), strict=True):
        assert row.effect_alone == pytest.approx(0.05 * math.sqrt(plant.rank), rel=0.051)
        teacher = copy.deepcopy(bare)
        with torch.no_grad():
            teacher.get_submodule(plant.module).weight += plant.update
        kept = [item["attention_mask"].bool() for item in texts()]
        parts = [
            [
                model(**item).last_hidden_state[mask]
                for item, mask in zip(texts(), kept, strict=True)
            ]
            for model in (bare, teacher)
        ]
        one, other = (torch.cat(part).detach().double().numpy() for part in parts)
        change = np.sqrt(((other - one) ** 2).mean() / ((one - one.mean(0)) ** 2).mean())
        assert row.effect_alone == pytest.approx(change, rel=1e-4)
        weight = bare.get_submodule(plant.module).weight.detach().numpy()
        assert row.norm_ratio == pytest.approx(
            np.linalg.norm(plant.update.numpy()) / np.linalg.norm(weight), rel=1e-4
        )
    assert (found["effect_without"] > 0.02).all()
    assert all(torch.equal(value, before[name]) for name, value in bare.state_dict().items())


def test_a_change_that_cannot_be_had_is_said() -> None:
    with pytest.raises(ConfigError, match=r"changes the outputs by 2e\+02 of their"):
        draw_plants(
            encoder(),
            {"encoder.layer.1.attention.self.key": 1},
            texts(),
            200.0,
            torch.Generator().manual_seed(0),
        )


def test_padding_is_nothing() -> None:
    item = texts()[1]
    assert len(outputs_of(encoder(), [item])) == int(item["attention_mask"].sum())
    target = torch.zeros(20, 9, 16)
    filled = torch.where(item["attention_mask"][..., None].bool(), target, 7.0)
    assert squared_error(filled, target, item["attention_mask"]).abs().max() == 0


def test_an_update_lasts_as_long_as_its_block() -> None:
    bare = encoder()
    plant = drawn(bare, {"encoder.layer.0.output.dense": 2})[0]
    before = outputs_of(bare, texts())
    with planted(bare, plant):
        assert relative_change(before, outputs_of(bare, texts())) > 0.04
    assert torch.equal(outputs_of(bare, texts()), before)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"modules": 0}, "modules = 0: must be greater than 0"),
        ({"record_every": 7}, "record_every 7 does not divide the 200 steps"),
        ({"texts": "sst"}, "did you mean sst2"),
        ({"optimizer": "sgd"}, "neither 'ivon' nor 'adamw'"),
    ],
)
def test_mistakes_in_the_settings_are_said(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        PlantedTask(**wrong)
