"""Worlds in which the paper's claims hold, or do not, written as runs of six systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.log.synthetic import decision, modules, write_run
from vilora_analysis.log import Run, open_run
from vilora_analysis.log.schema import RECORDED_INPUTS

ROWS = modules(2, ("W_o", "W_q", "W_f2"), rank=6)
SIZES = np.array([row.rank for row in ROWS])
N, BUDGET = int(SIZES.sum()), 24
IVON = ("snr", "snr_abs", "mean_abs", "inverse_std", "sensitivity")
SYSTEMS = (*(("ivon", name) for name in IVON), ("adamw", "sensitivity"))
UNEVEN, OTHER, EVEN = [6, 6, 6, 3, 2, 1, 0], [0, 1, 3, 4, 6, 6, 4], [4, 4, 4, 4, 4, 3, 1]


@dataclass(frozen=True)
class World:
    """What each system gives.

    Attributes
    ----------
    accuracy
        By system, in percent.
    ranks
        By system, the rank of each matrix; a seed moves one from its fullest to another.
    seconds
        By optimizer, of a step.
    link
        How much noise is on the logarithm of each score, beside the snr's.
    by_matrix
        How much of the logarithm of the snr is the same in each matrix.
    uniform
        Whether the posterior's sigma is one number everywhere.
    noise
        Standard deviation of the accuracy between systems, in points.
    """

    accuracy: Mapping[str, float]
    ranks: Mapping[str, Sequence[int]]
    seconds: Mapping[str, float]
    link: Mapping[str, float]
    by_matrix: float = 0.0
    uniform: bool = False
    noise: float = 0.05


HOLDS = World(
    accuracy={
        "ivon snr": 90.0,
        "ivon snr_abs": 90.0,
        "ivon mean_abs": 90.0,
        "ivon inverse_std": 85.0,
        "ivon sensitivity": 88.0,
        "adamw sensitivity": 88.0,
    },
    ranks={"ivon": UNEVEN, "ivon inverse_std": EVEN, "adamw sensitivity": OTHER},
    seconds={"ivon": 1.0, "adamw": 1.12},
    link={"snr_abs": 0.0, "sensitivity": 0.05, "mean_abs": 2.0, "inverse_std": np.inf},
    by_matrix=4.0,
)
FAILS = World(
    accuracy={
        "ivon snr": 86.0,
        "ivon snr_abs": 84.0,
        "ivon mean_abs": 83.0,
        "ivon inverse_std": 89.0,
        "ivon sensitivity": 88.0,
        "adamw sensitivity": 88.0,
    },
    ranks={"ivon": EVEN, "ivon snr": OTHER, "ivon inverse_std": UNEVEN, "adamw sensitivity": EVEN},
    seconds={"ivon": 1.2, "adamw": 1.0},
    link={"snr_abs": np.inf, "sensitivity": np.inf, "mean_abs": np.inf, "inverse_std": 0.05},
)


def build(
    folder: Path,
    world: World,
    seeds: Sequence[int] = range(6),
    systems: Sequence[tuple[str, str]] = SYSTEMS,
    **changes: Any,
) -> list[Run]:
    """Write the runs of a world; ``changes`` go into their configuration."""
    return [
        write_trial(folder, world, optimizer, criterion, seed, **changes)
        for optimizer, criterion in systems
        for seed in seeds
    ]


def write_trial(
    folder: Path, world: World, optimizer: str, criterion: str, seed: int, **changes: Any
) -> Run:
    """One run: scores before the first decision, and what it kept in the end."""
    system = f"{optimizer} {criterion}"
    config = {
        "task": "sst2",
        "method": "adalora",
        "optimizer": optimizer,
        "criterion": criterion,
        "preset": "live-posterior",
        "steps": 200,
        "lr": 5.0 if optimizer == "ivon" else 5e-3,
        "seed": seed,
        **changes,
    }
    generator = np.random.default_rng([seed, 7])
    own = np.random.default_rng([seed, SYSTEMS.index((optimizer, criterion))])
    # without the sensitivity the snr run is as fast as the paper has it
    names = [n for n in IVON if n != "sensitivity" or criterion != "snr"]
    accuracy = world.accuracy[system] + generator.normal() + world.noise * own.normal()
    ranks = world.ranks.get(system, world.ranks.get(optimizer))
    name = "-".join(
        [str(config["task"]), system.replace(" ", "-"), str(config["steps"]), str(seed)]
    )
    known = {
        "steps": (2, 10),
        "every": 2,
        "rows": ROWS,
        "scores": names if optimizer == "ivon" else ["sensitivity"],
        "inputs": RECORDED_INPUTS if optimizer == "ivon" else (),
        "columns": _scores(world, generator, names) if optimizer == "ivon" else {},
        "kept": _kept(ranks, seed),
        "events": [decision(2, budget=N), decision(9, budget=BUDGET)],
        "metrics": [(s, {"seconds": world.seconds[optimizer]}) for s in range(1, 11)],
        "results": {"accuracy": accuracy / 100, "ece": 0.1},
        "criterion": criterion,
        "optimizer": {
            "name": {"ivon": "IVON", "adamw": "AdamW"}[optimizer],
            "groups": [{"hess_init": 0.1, "beta2": 0.99}],
        },
        "config": config,
        "seed": seed,
    }
    return open_run(write_run(folder / name, **known).path)


def _scores(
    world: World, generator: np.random.Generator, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Scores of both steps; a noise without end leaves nothing of the snr."""
    offsets = np.repeat(np.linspace(-1, 1, len(SIZES)), SIZES)
    snr = generator.normal(size=(1, N)) + world.by_matrix * offsets
    logs = {"snr": snr}
    for name in ("snr_abs", "sensitivity", "mean_abs", "inverse_std"):
        noise, draw = world.link[name], generator.normal(size=(1, N))
        logs[name] = draw if np.isinf(noise) else snr + noise * draw
    columns = {f"score.{name}": np.exp(logs[name]) for name in names}
    same = {f"sigma_{factor}": 0.5 for factor in "EAB"}
    return columns | same if world.uniform else columns


def _kept(ranks: Sequence[int], seed: int) -> np.ndarray:
    """The first so many of each matrix; a seed moves one from one matrix to another."""
    moved = np.array(ranks)
    full = np.flatnonzero(moved > 0)
    free = np.flatnonzero(moved < SIZES)
    moved[full[seed % len(full)]] -= 1
    moved[free[(seed + 1) % len(free)]] += 1
    moved = np.minimum(moved, SIZES)
    return np.concatenate([np.arange(size) < rank for size, rank in zip(SIZES, moved, strict=True)])
