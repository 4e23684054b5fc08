"""Ranks that were planted, and which score finds them, system by system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.audits.definition import Answer, JointAudit
from vilora_analysis.audits.shown import labels
from vilora_analysis.audits.systems import systems
from vilora_analysis.log import Run

__all__ = ["PLANTED", "planted_answer"]

_ROWS = ("snr", "snr_abs", "mean_abs", "inverse_std", "sensitivity", "triplet_norm", "random")
"""Scores in the heatmap, as far as they were recorded."""


def planted_answer(runs: Sequence[Run], system: str = "") -> Answer:
    """Tables, figures and the verdict over seeds; the heatmap is of the first.

    Parameters
    ----------
    runs
        Runs of one planted task, a seed each.
    system
        What they are called where there are others: a column of the tables, and in the names of
        the figures.
    """
    found = analysis.planted_found(runs)
    summary = analysis.planted_summary(found)
    tables = {
        "planted_found": found,
        "planted_over_time": analysis.planted_found(runs, multiples=(1.0,), steps=None),
        "planted_summary": summary,
        "planted_located": analysis.planted_summary(analysis.planted_located(runs)),
        "planted_modules": pd.concat(map(analysis.planted_modules, runs), ignore_index=True),
    }
    named = labels(runs[0])
    shown = [name for name in _ROWS if name in named]
    drawn = {
        "planted_recall": partial(figures.planted_recall, summary, named, caption=_caption(runs)),
        "planted_heatmap": partial(
            figures.planted_heatmap,
            analysis.planted_ranks(runs[0], shown),
            named,
            caption=f"{runs[0].name}: rank by module at the budget that was planted, last step.",
        ),
    }
    said, notes = analysis.planted_verdict(summary), (_learnt(runs),)
    if not system:
        return Answer(tables, drawn, said, notes)
    suffix = "-".join(re.findall(r"[\w.]+", system))
    return Answer(
        {name: frame.assign(system=system) for name, frame in tables.items()},
        {f"{name}-{suffix}": draw for name, draw in drawn.items()},
        f"{system}: {said}",
        notes,
    )


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


def _planted(runs: Sequence[Run]) -> Answer:
    groups = systems(filter(analysis.has_planted, runs))
    several = len(groups) > 1
    answers = [planted_answer(own, name if several else "") for name, own in groups.items()]
    tables = {
        name: pd.concat([answer.tables[name] for answer in answers], ignore_index=True)
        for name in answers[0].tables
    }
    drawn = {name: draw for answer in answers for name, draw in answer.figures.items()}
    said = " ".join(answer.verdict for answer in answers)
    return Answer(tables, drawn, said, tuple(note for answer in answers for note in answer.notes))


def _lacking(runs: Sequence[Run]) -> str:
    there = any(map(analysis.has_planted, runs))
    return "" if there else "nothing was planted (vilora planted)"


PLANTED = JointAudit("planted", "do the scores find ranks that were planted?", _planted, _lacking)
