"""What to run for a claim that cannot be tested yet."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from vilora_analysis.analysis.claims.pairing import Bed
from vilora_analysis.analysis.claims.trial import OF_THE_OPTIMIZER

__all__ = ["lacking", "provide"]

_COPIED = (
    *("model", "steps", "batch_size", "max_length", "target_rank", "init_rank", "alpha"),
    *("tinit", "tfinal", "allocate_every", "orth_reg_weight", "record_every", "eval_every"),
    *("bf16", "gradient_checkpointing"),
)


def lacking(bed: Bed, *systems: str) -> str:
    """Say which systems a bed lacks; empty if it has seeds that all of them ran.

    Examples
    --------
    >>> lacking(Bed("rte", "", {}, {"ivon snr": "steps"}), "ivon snr")
    'no ivon snr (there are runs that differ in steps) on rte'
    """
    missing = [system for system in systems if not bed.arms.get(system)]
    if missing:
        said = [f"no {system}{_elsewhere(bed, system)}" for system in missing]
        return f"{', '.join(said)} on {bed.task}"
    if not bed.paired(*systems):
        return f"{' and '.join(systems)} have no seed in common"
    return ""


def _elsewhere(bed: Bed, system: str) -> str:
    unlike = bed.absent.get(system)
    return f" (there are runs that differ in {unlike})" if unlike else ""


def provide(bed: Bed, *systems: str) -> str:
    """Give the commands that train what a bed lacks, on the seeds that are there.

    What the two systems share is taken from a run of the bed, and of a run under the same optimizer
    its settings too; so that what the command trains can be compared.

    Returns
    -------
    str
        One command a system, joined by ``&&``. Where nothing tells how the runs were
        trained, that of the shipped sweep, which trains all systems on six seeds.

    Examples
    --------
    >>> provide(Bed("rte", "", {}, {}), "ivon snr")
    'vilora sweep claims'
    """
    seeds = {seed for arm in bed.arms.values() for seed in arm}
    commands = [
        _command(bed, system, sorted(seeds - set(bed.arms.get(system, {})), key=str))
        for system in systems
        if seeds - set(bed.arms.get(system, {}))
    ]
    return " && ".join(dict.fromkeys(commands)) or "vilora sweep claims"


def _command(bed: Bed, system: str, seeds: list[object]) -> str:
    optimizer, criterion = system.split(" ")
    trials = [trial for arm in bed.arms.values() for trial in arm.values()]
    alike = [trial for trial in trials if trial.optimizer == optimizer]
    config = (alike or trials)[0].run.manifest.config
    if "preset" not in config or seeds == [None]:
        return "vilora sweep claims"
    words = {
        "preset": config["preset"],
        "task": bed.task,
        "optimizer": "adamw" if optimizer == "adam" else optimizer,
        "criterion": criterion,
        **{name: config.get(name) for name in _COPIED},
        **({name: config.get(name) for name in OF_THE_OPTIMIZER} if alike else {}),
    }
    train = f"vilora train {' '.join(_flags(words))} --seed"
    if len(seeds) == 1:
        return f"{train} {seeds[0]}"
    return f"for seed in {' '.join(map(str, seeds))}; do {train} $seed; done"


def _flags(words: Mapping[str, Any]) -> Iterator[str]:
    """Words of the command line; what is False or not set is what it is without."""
    for name, value in words.items():
        if value is not None and value is not False:
            flag = f"--{name.replace('_', '-')}"
            yield flag if value is True else f"{flag} {shlex.quote(str(value))}"
