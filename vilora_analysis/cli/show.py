"""What the terminal shows of a run and of the registry."""

from __future__ import annotations

import math

from rich.table import Table

from vilora_analysis import scores
from vilora_analysis.analysis import correlations, decision_step
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.log import Run
from vilora_analysis.log.summary import further_facts, run_facts

__all__ = ["show_scores", "show_summary"]

_MAIN = ("snr", "snr_abs", "mean_abs", "inverse_std", "sensitivity")


def show_summary(run: Run, console: Terminal) -> None:
    """Print what a run was and gave, how its main scores rank, and what its posterior is worth."""
    console.line(run.name)
    table = Table(show_header=False, box=None)
    for key, value in run_facts(run).items():
        table.add_row(key, value)
    console.print(table)
    _show_correlations(run, console)
    for key, value in further_facts(run).items():
        console.line(f"{key}: {value}")


def _show_correlations(run: Run, console: Terminal) -> None:
    names = [name for name in _MAIN if name in run.score_names]
    if len(names) < 2 or not len(run.steps):
        return
    step = decision_step(run)
    frame = correlations(run, scores=names, steps=step).set_index(["score_a", "score_b"])["value"]
    console.line(f"Spearman correlation at step {step}")
    matrix = Table(box=None)
    for name in ("", *names[:-1]):
        matrix.add_column(name, justify="right" if name else "left")
    for row, name in enumerate(names[1:], start=1):
        cells = [_number(float(frame[other, name])) for other in names[:row]]
        matrix.add_row(name, *cells)
    console.print(matrix)


def _number(value: float) -> str:
    return "constant" if math.isnan(value) else f"{value:.3f}"


def show_scores(console: Terminal) -> None:
    """Print the registry."""
    table = Table(box=None, pad_edge=False)
    for column in ("name", "equation", "needs", "source"):
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for name in scores.names():
        item = scores.get(name)
        table.add_row(item.name, item.equation, ", ".join(item.inputs), item.source)
    console.print(table)
    aliases = ", ".join(f"{alias} = {name}" for alias, name in scores.ALIASES.items())
    console.print(f"published names: {aliases}")
