"""``vilora planted``: plant ranks, let a student learn them, count what each score finds."""

from __future__ import annotations

import dataclasses

from vilora_analysis.audits import planted_answer, write_answer
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import references
from vilora_analysis.provenance import recorded

__all__ = ["planted"]

_MOST_SEEDS = 10_000


def planted(command: commands.Planted, console: Terminal) -> int:
    """Make the runs that are not there yet, then count over all of them."""
    from vilora_analysis.probes.planted import PlantedTask
    from vilora_analysis.probes.planted.run import run_planted

    if not 1 <= command.seeds <= _MOST_SEEDS:
        raise ConfigError(f"seeds = {command.seeds}: ask for 1 to {_MOST_SEEDS}")
    names = [field.name for field in dataclasses.fields(PlantedTask)]
    first = PlantedTask(**{name: getattr(command, name) for name in names})
    tasks = [
        dataclasses.replace(first, seed=first.seed + number) for number in range(command.seeds)
    ]
    runs = [run_planted(task, command.out) for task in tasks]
    answer, out = planted_answer(runs), command.figures or command.out / "planted"
    with recorded(references(runs)):
        files = write_answer(answer, out)
    for line in (*answer.notes, answer.verdict):
        console.line(line)
    console.line(f"{len(files)} files in {out}")
    return 0
