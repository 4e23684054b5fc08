"""Timed steps made up from known ratios."""

from __future__ import annotations

import numpy as np
import pandas as pd

BASE = ("adamw", "sensitivity", "peft", 0)
WAYS = {
    "AdamW sensitivity, PEFT": BASE,
    "IVON sensitivity, PEFT": ("ivon", "sensitivity", "peft", 0),
    "IVON snr, PEFT": ("ivon", "snr", "peft", 0),
    "AdamW sensitivity": ("adamw", "sensitivity", "vilora", 0),
    "IVON sensitivity": ("ivon", "sensitivity", "vilora", 0),
    "IVON snr": ("ivon", "snr", "vilora", 0),
    "IVON snr, recorded 1 in 10": ("ivon", "snr", "vilora", 10),
}
PHASES = ("forward", "backward", "update", "rest")


def steps(
    ratios: dict[str, tuple[float, float]],
    *,
    count: int = 60,
    noise: float = 0.0,
    recording: float = 0.0,
    seams: bool = True,
    seed: int = 0,
) -> pd.DataFrame:
    """Steps of 20 ms, 30 ms where the published way prunes, times a ratio (pruning, between).

    All variants share a round's disturbance; ``noise`` is what each has for itself, ``recording``
    is added to a recorded step's ratio.
    """
    random = np.random.default_rng(seed)
    rows = []
    for step in range(6, 6 + count):
        disturbed = random.lognormal(sigma=0.5)
        prunes = step % 3 == 0
        for name, (pruning, between) in ratios.items():
            optimizer, criterion, allocator, every = WAYS[name]
            records = every > 0 and step % every == 0
            ratio = (pruning if prunes else between) + recording * records
            seconds = disturbed * (0.03 if prunes else 0.02) * ratio
            seconds *= random.lognormal(sigma=noise) if noise else 1.0
            parts = random.dirichlet(np.ones(len(PHASES))) * seconds
            rows.append(
                {
                    "step": step,
                    "variant": name,
                    "optimizer": optimizer,
                    "criterion": criterion,
                    "allocator": allocator,
                    "record_every": every,
                    "allocates": prunes,
                    "records": records,
                    "seams": seams,
                    "seconds": seconds,
                    **{f"seconds.{p}": part for p, part in zip(PHASES, parts, strict=True)},
                }
            )
    return pd.DataFrame(rows)


KNOWN = {
    "AdamW sensitivity, PEFT": (1.0, 1.0),
    "IVON sensitivity, PEFT": (1.05, 1.02),
    "IVON snr, PEFT": (0.95, 0.9),
    "AdamW sensitivity": (0.9, 0.95),
    "IVON sensitivity": (0.92, 0.97),
    "IVON snr": (0.8, 0.85),
    "IVON snr, recorded 1 in 10": (0.8, 0.85),
}
