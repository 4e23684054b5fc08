"""``vilora planted``: plant ranks, let a student learn them, count what each score finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.audits import write_table
from vilora_analysis.cli import commands
from vilora_analysis.cli.artefacts import Artefacts
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run, references
from vilora_analysis.provenance import recorded

__all__ = ["planted", "planted_artefacts"]

_ROWS = ("snr", "snr_abs", "mean_abs", "inverse_std", "sensitivity", "triplet_norm", "random")
"""Scores in the heatmap, as far as they were recorded."""


def planted(command: commands.Planted, console: Terminal) -> int:
    """Make the runs that are not there yet, then count over all of them."""
    from vilora_analysis.probes.planted import PlantedTask
    from vilora_analysis.probes.planted.run import run_planted

    if command.seeds < 1:
        raise ConfigError(f"seeds = {command.seeds}: ask for at least 1")
    names = [field.name for field in dataclasses.fields(PlantedTask)]
    first = PlantedTask(**{name: getattr(command, name) for name in names})
    tasks = [
        dataclasses.replace(first, seed=first.seed + number) for number in range(command.seeds)
    ]
    runs = [run_planted(task, command.out) for task in tasks]
    with recorded(references(runs)):
        written = planted_artefacts(runs, command.figures or command.out / "planted")
    for line in written.notes:
        console.line(line)
    console.line(f"{len(written.files)} files in {command.figures or command.out / 'planted'}")
    return 0


def planted_artefacts(runs: Sequence[Run], out: Path) -> Artefacts:
    """Tables, figures and the verdict over seeds; the heatmap is of the first.

    Parameters
    ----------
    runs
        Runs of one planted task, a seed each.
    out
        Folder for the files; created.
    """
    found = analysis.planted_found(runs)
    over_time = analysis.planted_found(runs, multiples=(1.0,), steps=None)
    summary = analysis.planted_summary(found)
    located = analysis.planted_summary(analysis.planted_located(runs))
    modules = pd.concat([analysis.planted_modules(run) for run in runs], ignore_index=True)
    labels = runs[0].labels
    verdict = analysis.planted_verdict(summary)
    shown = [name for name in _ROWS if name in labels]
    heatmap = figures.planted_heatmap(
        analysis.planted_ranks(runs[0], shown),
        labels,
        caption=f"{runs[0].name}: rank by module at the budget that was planted, last step.",
    )
    tables = {
        "planted_found": found,
        "planted_over_time": over_time,
        "planted_summary": summary,
        "planted_located": located,
        "planted_modules": modules,
    }
    files = [file for name, frame in tables.items() for file in write_table(frame, out / name)]
    files += figures.save(
        figures.planted_recall(summary, labels, caption=_caption(runs)), out / "planted_recall"
    )
    files += figures.save(heatmap, out / "planted_heatmap")
    return Artefacts(files, [_learnt(runs), verdict])


def _caption(runs: Sequence[Run]) -> str:
    many = len(runs) > 1
    seeds = f"{len(runs)} seeds, 95% intervals of Student" if many else "One seed"
    return (
        f"{seeds}; {runs[0].manifest.n_triplets} triplets each. Oracle: the held-out loss without "
        "each. (a) As many kept as were planted. (b) Half as many to twice."
    )


def _learnt(runs: Sequence[Run]) -> str:
    """How well the students learnt: who learnt nothing has nothing to be found."""
    results = [run.manifest.results for run in runs]
    told = ", ".join(f"{r['loss_start']:.2f} to {r['loss']:.3f}" for r in results)
    return f"Held-out distillation loss, in units of the teacher's change: {told}."
