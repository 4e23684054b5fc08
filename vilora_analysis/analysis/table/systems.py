"""Which runs are one cell of the table: the same in everything but the seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vilora_analysis.analysis.claims.trial import OF_THE_OPTIMIZER, Trial
from vilora_analysis.log import Run

__all__ = ["OF_THE_METHOD", "Cell", "Row", "find_cells"]

OF_THE_METHOD = (
    *("alpha", "init_rank", "target_rank", "tinit", "tfinal", "allocate_every"),
    *("orth_reg_weight", "allocation", "l1_penalty", "l1_metric", "adapted matrices"),
)
"""Settings that come with a method: two methods may differ in them and still be compared."""

_ALWAYS_TOLD = ("model",)


@dataclass(frozen=True)
class Row:
    """A system under a setup; what a row of the table stands for.

    Attributes
    ----------
    setup
        Settings that tell these runs from others of the same systems; empty if there are no others.
    target_rank
        Average rank that is kept; None where nothing is adapted.
    method, optimizer, criterion
        The system; both Adams go by ``adam``.
    variant
        Settings of method or optimizer that tell it from others of the same name.
    """

    setup: str
    target_rank: int | None
    method: str
    optimizer: str
    criterion: str
    variant: str = ""

    @property
    def system(self) -> tuple[str, str, str]:
        """Method, optimizer and criterion."""
        return self.method, self.optimizer, self.criterion


@dataclass(frozen=True, eq=False)
class Cell:
    """Runs of a row on one task, by seed."""

    row: Row
    task: str
    trials: Mapping[object, Trial] = field(default_factory=dict)

    def values(self, metric: Literal["final", "best"]) -> dict[object, float]:
        """Metric in percent, of the seeds that have it."""
        found = {seed: trial.metric(metric) for seed, trial in self.trials.items()}
        return {seed: value for seed, value in found.items() if value == value}


def find_cells(runs: Iterable[Run]) -> tuple[list[Cell], list[str]]:
    """Sort finished runs into the cells of the table.

    Runs of one system, task and rank that differ in a setting that changes the training are never
    averaged: what differs is told, as a setup of its own or, where the setting belongs to method or
    optimizer, as a variant of the system.

    Returns
    -------
    cells
        In the order of the runs' names.
    notes
        What was left out, and why.
    """
    notes: list[str] = []
    trials = _finished(runs, notes)
    shared, own = _telling(trials)
    cells: dict[tuple[Row, str], dict[object, Trial]] = {}
    for trial in trials:
        method, optimizer, criterion = _system(trial)
        row = Row(
            _told(trial, shared),
            _rank(trial),
            method,
            optimizer,
            criterion,
            _told(trial, own.get((method, optimizer), ())),
        )
        seeds = cells.setdefault((row, trial.task), {})
        if trial.seed in seeds:
            first = seeds[trial.seed].run.name
            notes.append(f"{trial.run.name} is left out: {first} is the same system and seed")
        seeds.setdefault(trial.seed, trial)
    return [Cell(row, task, seeds) for (row, task), seeds in cells.items()], notes


def _finished(runs: Iterable[Run], notes: list[str]) -> list[Trial]:
    trials = sorted((Trial(run) for run in runs), key=lambda trial: str(trial.run.path))
    unfinished = [trial.run.name for trial in trials if trial.run.manifest.status != "finished"]
    if unfinished:
        notes.append(f"left out, not finished: {', '.join(unfinished)}")
    return [trial for trial in trials if trial.run.manifest.status == "finished"]


def _system(trial: Trial) -> tuple[str, str, str]:
    manifest = trial.run.manifest
    method = str(manifest.config.get("method", "adalora"))
    return method, trial.optimizer, manifest.criterion or "none"


def _rank(trial: Trial) -> int | None:
    rank = trial.run.manifest.config.get("target_rank")
    adapts = _system(trial)[0] != "full_ft"
    return int(rank) if adapts and isinstance(rank, int | float) else None


def _telling(trials: Sequence[Trial]) -> tuple[list[str], dict[tuple[str, str], list[str]]]:
    """Settings by which runs are told apart: for all; and by method and optimizer, their own."""
    groups: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.task, _rank(trial), *_system(trial)), []).append(trial)
    shared = dict.fromkeys(_differing(trials, _ALWAYS_TOLD))
    own: dict[tuple[str, str], dict[str, None]] = {}
    for (_, _, method, optimizer, _), group in groups.items():
        for name in _differing(group):
            if name in OF_THE_METHOD or name in OF_THE_OPTIMIZER:
                own.setdefault((str(method), str(optimizer)), {})[name] = None
            else:
                shared[name] = None
    return [*shared], {system: [*names] for system, names in own.items()}


def _differing(trials: Sequence[Trial], among: Iterable[str] | None = None) -> list[str]:
    """Settings with several values; runs that do not tell one do not count."""
    values: dict[str, set[str]] = {}
    for trial in trials:
        for name, value in trial.settings.items():
            values.setdefault(name, set()).add(value)
    return [
        name
        for name, found in values.items()
        if len(found) > 1 and name != "task" and (among is None or name in among)
    ]


def _told(trial: Trial, names: Iterable[str]) -> str:
    config = trial.run.manifest.config
    told = [f"{name} {config.get(name, trial.settings.get(name, 'not told'))}" for name in names]
    return ", ".join(told)
