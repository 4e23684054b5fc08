"""The teacher, and what each of its updates does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from vilora_analysis.probes.planted.outputs import Texts, outputs_of
from vilora_analysis.probes.planted.plant import Plant, add, planted, relative_change

if TYPE_CHECKING:
    from vilora_analysis.triplets import TripletLayout

__all__ = ["change_of_outputs", "effects", "make_teacher", "module_table"]


def make_teacher(encoder: Any, plants: Sequence[Plant]) -> Any:
    """Copy an encoder, with all updates added to its weights."""
    teacher = deepcopy(encoder)
    add(teacher, plants)
    return teacher


def change_of_outputs(encoder: Any, plants: Sequence[Plant], texts: Texts) -> float:
    """Mean squared change of the encoder's outputs by all updates together."""
    before = outputs_of(encoder, texts)
    with planted(encoder, *plants):
        after = outputs_of(encoder, texts)
    return float((after - before).square().mean())


def effects(encoder: Any, plants: Sequence[Plant], texts: Texts) -> pd.DataFrame:
    """What each update does alone, and what the teacher would be without it.

    Returns
    -------
    DataFrame
        One row a plant: ``path``, ``planted`` (rank), ``effect_alone``, ``effect_without`` (see
        :func:`vilora_analysis.probes.planted.plant.relative_change`), ``norm_ratio`` and
        ``spectral_ratio``, Frobenius and spectral norm of the update over those of the weight.
    """
    before = outputs_of(encoder, texts)
    with planted(encoder, *plants):
        whole = outputs_of(encoder, texts)
    rows = []
    for plant in plants:
        with planted(encoder, plant):
            alone = outputs_of(encoder, texts)
        with planted(encoder, *(other for other in plants if other is not plant)):
            without = outputs_of(encoder, texts)
        weight = encoder.get_submodule(plant.module).weight.detach().cpu()
        ratios = [_norm(plant.update, order) / _norm(weight, order) for order in ("fro", 2)]
        effect = relative_change(before, alone), relative_change(whole, without)
        rows.append((plant.module, plant.rank, *effect, *ratios))
    columns = ["path", "planted", "effect_alone", "effect_without", "norm_ratio", "spectral_ratio"]
    return pd.DataFrame(rows, columns=columns)


def module_table(
    layout: TripletLayout,
    name: str,
    found: pd.DataFrame,
    plants: Sequence[Plant],
    learnt: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
) -> pd.DataFrame:
    """One row an adapted module: what was planted there, and what the student learnt there.

    Parameters
    ----------
    layout
        The student's.
    name
        Name that the encoder goes by in the student.
    found
        As :func:`effects` gives it.
    plants
        The updates.
    learnt, weights
        The student's update, and the weight, by module.
    """
    there = {f"{name}.{plant.module}": plant.update for plant in plants}
    rows = [
        (
            module.name,
            _norm(learnt[module.name], "fro") / _norm(weights[module.name], "fro"),
            _participation(learnt[module.name]),
            _cosine(learnt[module.name], there.get(module.name)),
        )
        for module in layout.modules
    ]
    frame = pd.DataFrame(rows, columns=["module", "learnt_ratio", "learnt_rank", "alignment"])
    known = found.assign(module=name + "." + found["path"]).drop(columns="path")
    merged = frame.merge(known, on="module", how="left", validate="1:1")
    absent = merged["planted"].isna()
    zeros = ["planted", "effect_alone", "effect_without", "norm_ratio", "spectral_ratio"]
    merged.loc[absent, zeros] = 0
    return merged.astype({"planted": "int64"})


def _norm(matrix: Tensor, order: Any) -> float:
    return float(torch.linalg.matrix_norm(matrix, ord=order))


def _participation(matrix: Tensor) -> float:
    squares = torch.linalg.svdvals(matrix).square()
    total = float(squares.square().sum())
    return float(squares.sum()) ** 2 / total if total > 0 else 0.0


def _cosine(learnt: Tensor, planted: Tensor | None) -> float:
    if planted is None:
        return math.nan
    size = _norm(learnt, "fro") * _norm(planted, "fro")
    return float((learnt * planted).sum()) / size if size > 0 else 0.0
