"""Finished runs that tell nothing but their settings and their result."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.log.synthetic import manifest, modules
from vilora_analysis.log import Run, open_run

OURS = ("adalora", "ivon", "snr")
BASELINE = ("adalora", "adamw", "sensitivity")
LORA = ("lora", "adamw", "none")
FULL = ("full_ft", "adamw", "none")
METRICS = {"cola": "matthews", "stsb": "pearson", "mnli": "accuracy_matched"}


def finished(
    folder: Path,
    system: tuple[str, str, str] = OURS,
    value: float | None = 90.0,
    *,
    task: str = "rte",
    seed: Any = 0,
    name: str | None = None,
    status: str = "finished",
    numel: int | None = None,
    best: float | None = None,
    **config: Any,
) -> Run:
    """Write a run whose metric is so many percent."""
    method, optimizer, criterion = system
    told = {
        "task": task,
        "method": method,
        "optimizer": optimizer,
        "criterion": criterion,
        "seed": seed,
        "target_rank": 2,
        "steps": 100,
        "model": "tiny",
        "lr": {"ivon": 5.0}.get(optimizer, 1e-3),
        **config,
    }
    metric = METRICS.get(task, "accuracy")
    results = {} if value is None else {metric: value / 100, "ece": 0.1}
    path = folder / (name or "-".join(map(str, [task, *system, seed, len(list(folder.glob("*")))])))
    path.mkdir(parents=True)
    manifest(
        () if method == "full_ft" else modules(1, ("W_q",)),
        criterion=None if criterion == "none" else criterion,
        config=told,
        status=status,
        results=results if best is None else {**results, f"best_{metric}": best / 100},
        optimizer={"name": optimizer, "groups": [{} if numel is None else {"numel": numel}]},
    ).save(path)
    return open_run(path)


def pairs(
    folder: Path,
    ours: Iterable[float],
    baseline: Iterable[float],
    system: tuple[str, str, str] = OURS,
    **config: Any,
) -> list[Run]:
    """Write runs of a system and of the baseline, by seed."""
    both = {system: ours, BASELINE: baseline}
    return [
        finished(folder, name, value, seed=seed, **config)
        for name, values in both.items()
        for seed, value in enumerate(values)
    ]
