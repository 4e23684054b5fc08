"""A plant has the rank it says, every rank of it is needed, and it does what it was scaled to."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

import vilora_analysis as va
from tests.conftest import tiny_bert
from vilora_analysis.errors import ConfigError, LayoutError
from vilora_analysis.probes.ablation import without
from vilora_analysis.probes.planted import PlantedTask, draw_ranks
from vilora_analysis.probes.planted.oracle import Lesson, losses_of, without_each
from vilora_analysis.probes.planted.outputs import outputs_of, squared_error
from vilora_analysis.probes.planted.plant import (
    Plant,
    draw_plants,
    planted,
    relative_change,
    whitened_directions,
)
from vilora_analysis.probes.planted.student import (
    bare_encoder,
    linear_layers,
    make_student,
    tell,
    updates,
    weights,
)
from vilora_analysis.probes.planted.teacher import (
    change_of_outputs,
    effects,
    make_teacher,
    module_table,
)

TASK = PlantedTask(modules=3, effect=0.05, init_rank=3, steps=20, batch_size=4)


def texts(count: int = 40, seed: int = 2) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 60, (count, 9), generator=generator)
    mask = torch.ones_like(ids)
    mask[count // 2 :, 6:] = 0
    half = count // 2
    return [
        {"input_ids": ids[part], "attention_mask": mask[part]}
        for part in (slice(half), slice(half, None))
    ]


def encoder() -> Any:
    """Of larger weights than those it begins with: queries and keys do nothing there."""
    bare, _ = bare_encoder(tiny_bert())
    with torch.no_grad():
        for name in linear_layers(bare):
            bare.get_submodule(name).weight.mul_(12)
    return bare


def drawn(bare: Any, ranks: dict[str, int] | None = None) -> tuple[Plant, ...]:
    chosen = draw_ranks(TASK, linear_layers(bare)) if ranks is None else ranks
    return draw_plants(bare, chosen, texts(), TASK.effect, torch.Generator().manual_seed(0))


def taught() -> tuple[Any, Any, Any, tuple[Plant, ...], float]:
    """Encoder, teacher, student, plants and the unit of the loss."""
    bare = encoder()
    plants = drawn(bare)
    unit = change_of_outputs(bare, plants, texts())
    teacher = make_teacher(bare, plants)
    torch.manual_seed(0)
    return copy.deepcopy(bare), teacher, make_student(bare, "bert", unit, TASK), plants, unit


def lessons(teacher: Any) -> list[Lesson]:
    with torch.no_grad():
        return [Lesson(item, teacher(**item).last_hidden_state) for item in texts(8, seed=5)]


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


def test_the_student_begins_as_the_encoder_and_at_a_loss_of_one() -> None:
    bare, teacher, student, _, unit = taught()
    item = texts()[0]
    with torch.no_grad():
        assert torch.equal(student(**item).hidden, bare(**item).last_hidden_state)
        heard = [(i, teacher(**i).last_hidden_state) for i in texts()]
        error = [
            squared_error(student(**i).hidden, target, i["attention_mask"]) for i, target in heard
        ]
    weighted = [e * i["attention_mask"].sum(1) for e, (i, _) in zip(error, heard, strict=True)]
    tokens = sum(float(i["attention_mask"].sum()) for i, _ in heard)
    assert float(torch.cat(weighted).sum()) / tokens / unit == pytest.approx(1.0, rel=1e-4)


def test_a_student_that_is_told_the_plant_is_the_teacher() -> None:
    _, teacher, student, plants, unit = taught()
    layout = va.TripletLayout.from_model(student)
    tell(student, layout, "bert", plants)
    for lesson in lessons(teacher):
        with torch.no_grad():
            torch.testing.assert_close(
                student(**lesson.inputs).hidden, lesson.target, rtol=1e-4, atol=1e-5
            )
    assert losses_of(student, lessons(teacher), unit).max() < 1e-6
    found = updates(student, layout)
    for plant in plants:
        torch.testing.assert_close(found[f"bert.{plant.module}"], plant.update)
    assert sum(bool(update.any()) for update in found.values()) == len(plants)


def test_told_the_plant_the_oracle_names_exactly_its_triplets() -> None:
    _, teacher, student, plants, unit = taught()
    layout = va.TripletLayout.from_model(student)
    tell(student, layout, "bert", plants)
    asked = without_each(student, layout, lessons(teacher), unit)
    ranks = {f"bert.{plant.module}": plant.rank for plant in plants}
    there = [
        k < ranks.get(module, 0) for module, k in zip(asked["module"], asked["k"], strict=True)
    ]
    assert asked["effect"][there].min() > 100 * asked["effect"][~np.array(there)].abs().max()
    assert (asked["error"][there] > 0).all()


def test_the_oracle_is_brute_force() -> None:
    _, teacher, student, _, unit = taught()
    layout = va.TripletLayout.from_model(student)
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.3)
    asked = without_each(student, layout, lessons(teacher), unit)
    for triplet in range(0, layout.n_triplets, 5):
        rises = []
        for lesson in lessons(teacher):
            mask = lesson.inputs["attention_mask"]
            with torch.no_grad():
                base = student(**lesson.inputs).hidden
                with without(student, layout, [triplet]):
                    gone = student(**lesson.inputs).hidden
            for row in range(len(mask)):
                n = int(mask[row].sum())
                errors = [
                    ((hidden[row, :n] - lesson.target[row, :n]) ** 2).mean()
                    for hidden in (base, gone)
                ]
                rises.append(float(errors[1] - errors[0]) / unit)
        assert asked["effect"][triplet] == pytest.approx(np.mean(rises), rel=1e-3, abs=1e-4)
        spread = np.std(rises, ddof=1) / np.sqrt(len(rises))
        assert asked["error"][triplet] == pytest.approx(spread, rel=1e-3, abs=1e-4)


def test_what_was_learnt_is_told_by_module() -> None:
    bare, _, student, plants, _ = taught()
    layout = va.TripletLayout.from_model(student)
    tell(student, layout, "bert", plants)
    learnt, whole = updates(student, layout), weights(student, layout)
    table = module_table(layout, "bert", effects(bare, plants, texts()), plants, learnt, whole)
    table = table.set_index("module")
    for plant in plants:
        row = table.loc[f"bert.{plant.module}"]
        squares = np.linalg.svd(plant.update.numpy())[1] ** 2
        assert row["planted"] == plant.rank
        assert row["alignment"] == pytest.approx(1.0, rel=1e-5)
        assert row["learnt_ratio"] == pytest.approx(row["norm_ratio"], rel=1e-4)
        assert row["learnt_rank"] == pytest.approx(
            squares.sum() ** 2 / (squares**2).sum(), rel=1e-4
        )
    others = table.drop(index=[f"bert.{plant.module}" for plant in plants])
    assert (others[["planted", "effect_alone", "norm_ratio", "learnt_ratio"]] == 0).all(axis=None)


def test_a_plant_without_room_in_the_adapter_is_refused() -> None:
    _, _, student, plants, _ = taught()
    layout = va.TripletLayout.from_model(student)
    wide = Plant(plants[0].module, torch.zeros(4, 4), torch.zeros(4, 4), 1.0)
    with pytest.raises(LayoutError, match="no room for rank 4"):
        tell(student, layout, "bert", [wide])


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


def test_a_model_without_a_head_is_refused() -> None:
    with pytest.raises(ConfigError, match="Linear is not an encoder with a head"):
        bare_encoder(torch.nn.Linear(2, 2))
