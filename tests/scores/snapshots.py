"""Snapshots of random inputs on small real adapters."""

from __future__ import annotations

from collections.abc import Iterator

import peft
import torch

from tests.conftest import adalora, lora, tiny_bert
from vilora_analysis.inputs import INPUTS
from vilora_analysis.posterior import Snapshot
from vilora_analysis.triplets import TripletLayout

SIGNED = ("mu", "grad")


def layout_of(kind: str = "adalora") -> TripletLayout:
    return TripletLayout.from_model(
        adalora(tiny_bert()) if kind == "adalora" else lora(tiny_bert())
    )


def random_snapshot(layout: TripletLayout, *, seed: int = 0, step: int = 7) -> Snapshot:
    """Every input of the vocabulary: mu and grad of any sign, the rest positive."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: torch.randn(layout.n_elements, generator=generator) for name in INPUTS}
    inputs = {k: v if k in SIGNED else v.abs() + 0.1 for k, v in drawn.items()}
    return Snapshot(step, layout, inputs)


def naive_triplets(snapshot: Snapshot) -> Iterator[dict[str, dict[str, list[float]]]]:
    """For each triplet in order: factor -> input -> elements, found one by one by their place."""
    layout = snapshot.layout
    lists = {name: values.tolist() for name, values in snapshot.inputs.items()}
    index = {name: i for i, name in enumerate(layout.triplet_names)}
    found: list[dict[str, dict[str, list[float]]]] = [{} for _ in index]
    for element in range(layout.n_elements):
        module, k, factor = layout.locate(element)
        row = found[index[f"{module}[{k}]"]].setdefault(factor, {name: [] for name in lists})
        for name, values in lists.items():
            row[name].append(values[element])
    yield from found


def without_penalty(model: peft.PeftModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Loss of the adapted model alone, which AdaLoRA's own forward adds its penalty to."""
    loss: torch.Tensor = model.base_model.model(**batch).loss
    return loss
