"""A student that is told the plant is the teacher, and the oracle names the plant's triplets."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

import vilora_analysis as va
from tests.probes.planted_world import TASK, drawn, encoder, texts
from vilora_analysis.errors import ConfigError, LayoutError
from vilora_analysis.probes.ablation import without
from vilora_analysis.probes.planted.oracle import Lesson, losses_of, without_each
from vilora_analysis.probes.planted.outputs import squared_error
from vilora_analysis.probes.planted.plant import Plant
from vilora_analysis.probes.planted.student import (
    bare_encoder,
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


def test_a_model_without_a_head_is_refused() -> None:
    with pytest.raises(ConfigError, match="Linear is not an encoder with a head"):
        bare_encoder(torch.nn.Linear(2, 2))
