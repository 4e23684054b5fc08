"""A tiny encoder whose attention does something, texts for it, and plants in it."""

from __future__ import annotations

from typing import Any

import torch

from tests.conftest import tiny_bert
from vilora_analysis.probes.planted import PlantedTask, draw_ranks
from vilora_analysis.probes.planted.plant import Plant, draw_plants
from vilora_analysis.probes.planted.student import bare_encoder, linear_layers

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
