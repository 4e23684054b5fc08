"""Which runs may be compared: the same in everything but the seed and what is compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vilora_analysis.analysis.claims.trial import OF_THE_OPTIMIZER, Trial
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["Bed", "find_beds"]

_TELLING = ("preset", "model", "target_rank", "steps", "batch_size", "alpha", "max_length")
"""Settings that a bed is named by, where they differ; then any other."""


@dataclass(frozen=True, eq=False)
class Bed:
    """Runs of one task that differ in system and seed only.

    Attributes
    ----------
    task
        Name of the task.
    variant
        What tells this bed from others of the same task; empty if there is one.
    arms
        By system, as ``ivon snr``, and by seed.
    absent
        By system of which there are runs of the task, but not here: in what they differ.
    """

    task: str
    variant: str
    arms: Mapping[str, Mapping[object, Trial]]
    absent: Mapping[str, str]

    @property
    def compares(self) -> bool:
        """Whether it has a run that pruned."""
        return any(not system.endswith(" none") for system in self.arms)

    @property
    def label(self) -> str:
        """Task, and variant if there are several."""
        return f"{self.task} ({self.variant})" if self.variant else self.task

    def paired(self, *systems: str) -> list[tuple[Trial, ...]]:
        """Runs of these systems seed by seed, of the seeds that all of them have."""
        arms = [self.arms.get(system, {}) for system in systems]
        seeds = [seed for seed in arms[0] if all(seed in arm for arm in arms)]
        return [tuple(arm[seed] for arm in arms) for seed in sorted(seeds, key=_order)]

    def singles(self, optimizer: str, *scores: str) -> list[Trial]:
        """One run a seed of an optimizer, to ask for the shadows of some scores.

        Until the first pruning, runs of one seed are the same run whatever criterion they have; to
        count them all would make one draw look like several.
        """
        chosen: dict[object, Trial] = {}
        for arm in self.arms.values():
            for seed, trial in arm.items():
                ours = trial.optimizer == optimizer and seed not in chosen
                if ours and trial.shadow is not None and trial.shadow.has(*scores):
                    chosen[seed] = trial
        return [chosen[seed] for seed in sorted(chosen, key=_order)]


def find_beds(runs: Iterable[Run]) -> tuple[list[Bed], list[str]]:
    """Sort runs into beds.

    Settings of an optimizer (learning rate and the like) may differ between optimizers, not within
    one. All others that change the training must be the same; runs that differ in any are never
    paired.

    Returns
    -------
    beds
        Sorted by task.
    notes
        What was left out or kept apart, and why.

    Raises
    ------
    LogError
        If no finished AdaLoRA run is among them.
    """
    trials, notes = _usable(runs)
    if not trials:
        raise LogError(
            "no finished run of AdaLoRA to judge claims by; `vilora sweep claims` makes some"
        )
    groups: dict[tuple[str, ...], list[Trial]] = {}
    for trial in _with_equal_settings(trials, notes):
        groups.setdefault(_key(trial, own=False), []).append(trial)
    split = [part for group in groups.values() for part in _by_posterior(group, notes)]
    beds = []
    for task in sorted({part[0].task for part in split}):
        parts = [part for part in split if part[0].task == task]
        variants = _variants(parts)
        beds += [_bed(part, parts, name, notes) for part, name in zip(parts, variants, strict=True)]
        if len(parts) > 1:
            notes.append(f"{task}: not compared with each other are runs of {'; '.join(variants)}")
    return beds, notes


def _usable(runs: Iterable[Run]) -> tuple[list[Trial], list[str]]:
    trials, notes = [], []
    for run in runs:
        manifest = run.manifest
        if manifest.status != "finished":
            notes.append(f"{run.name} is left out: it is not finished")
        elif manifest.config.get("method", "adalora") != "adalora":
            notes.append(f"{run.name} is left out: no claim is about {manifest.config['method']}")
        elif manifest.n_triplets:
            trials.append(Trial(run))
    return trials, notes


def _with_equal_settings(trials: Sequence[Trial], notes: list[str]) -> Iterator[Trial]:
    """Leave out settings that older runs do not know, where the others agree on them."""
    known = dict.fromkeys(name for trial in trials for name in trial.settings)
    untold = []
    for name in known:
        given = [trial.settings[name] for trial in trials if name in trial.settings]
        if len(given) < len(trials) and len({*given}) == 1:
            untold.append(name)
    if untold:
        notes.append(f"taken for the same, though some runs do not tell: {', '.join(untold)}")
    return (replace(trial, untold=frozenset(untold)) for trial in trials)


def _key(trial: Trial, *, own: bool) -> tuple[str, ...]:
    """Settings that must be the same; with or without the optimizer's own."""
    return tuple(
        f"{name} {value}"
        for name, value in sorted(trial.settings.items())
        if own == (name in OF_THE_OPTIMIZER)
    )


def _by_posterior(group: Sequence[Trial], notes: list[str]) -> Iterator[list[Trial]]:
    """A part for each set of IVON's settings; runs of another optimizer belong to each of them."""
    ivon: dict[tuple[str, ...], list[Trial]] = {}
    others: dict[str, dict[tuple[str, ...], list[Trial]]] = {}
    for trial in group:
        kinds = ivon if trial.optimizer == "ivon" else others.setdefault(trial.optimizer, {})
        kinds.setdefault(_key(trial, own=True), []).append(trial)
    shared: list[Trial] = []
    for optimizer, kinds in others.items():
        if len(kinds) == 1:
            shared += next(iter(kinds.values()))
        else:
            notes.append(
                f"{group[0].task}: runs of {optimizer} are left out, they differ in "
                f"{', '.join(_differing([part[0] for part in kinds.values()]))}; give those of one"
            )
    yield from ([*part, *shared] for part in ivon.values())
    if shared and not ivon:
        yield shared


def _bed(part: list[Trial], parts: list[list[Trial]], variant: str, notes: list[str]) -> Bed:
    arms: dict[str, dict[object, Trial]] = {}
    for trial in sorted(part, key=_preferred):
        arm = arms.setdefault(trial.system, {})
        if trial.seed in arm:
            notes.append(
                f"{trial.run.name} is left out: {arm[trial.seed].run.name} is the same system and "
                "seed"
            )
        arm.setdefault(trial.seed, trial)
    absent = {}
    for other in parts:
        for trial in other:
            if trial.system not in arms:
                names = _differing([part[0], trial])
                more = f" and {len(names) - 4} more" if len(names) > 4 else ""
                absent[trial.system] = ", ".join(names[:4]) + more or "the optimizer's settings"
    return Bed(part[0].task, variant, arms, absent)


def _variants(parts: Sequence[Sequence[Trial]]) -> list[str]:
    """A name for each part of a task, of as few settings as tell them apart."""
    firsts = [part[0] for part in parts]
    told: list[list[str]] = [[] for _ in parts]
    for name in dict.fromkeys([*_TELLING, *_differing(firsts)]):
        values = [_value(trial, name) for trial in firsts]
        longer = [[*words, value] for words, value in zip(told, values, strict=True)]
        if len({*map(tuple, longer)}) > len({*map(tuple, told)}):
            told = longer
    return [", ".join(filter(None, words)) for words in told]


def _value(trial: Trial, name: str) -> str:
    given = trial.run.manifest.config.get(name)
    if given is None:
        return ""
    return str(given) if name in ("preset", "model") else f"{name} {given}"


def _differing(trials: Sequence[Trial]) -> list[str]:
    """Settings in which they differ; those of the optimizer only within one."""
    one = len({trial.optimizer for trial in trials}) == 1
    names = dict.fromkeys(name for trial in trials for name in trial.settings)
    return [
        name
        for name in names
        if len({trial.settings.get(name) for trial in trials}) > 1
        and (one or name not in OF_THE_OPTIMIZER)
        and name != "task"
    ]


def _preferred(trial: Trial) -> tuple[int, str, str]:
    order = ("snr", "sensitivity", "mean_abs", "snr_abs", "inverse_std")
    criterion = trial.run.manifest.criterion or "none"
    return order.index(criterion) if criterion in order else len(order), criterion, trial.run.name


def _order(seed: object) -> tuple[str, float, str]:
    return ("", float(seed), "") if isinstance(seed, int | float) else ("z", 0.0, str(seed))
