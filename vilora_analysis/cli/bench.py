"""``vilora bench``: time a training step in each way, and say where the time goes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.table import Table

from vilora_analysis import analysis, figures
from vilora_analysis.audits import Answer, write_answer
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.errors import LogError
from vilora_analysis.provenance import recorded

if TYPE_CHECKING:
    from vilora_analysis.probes.speed.measure import Measured

__all__ = ["bench", "bench_answer"]


def bench(command: commands.Bench, console: Terminal) -> int:
    """Measure, show the tables, and write them if asked to."""
    from vilora_analysis.probes.speed import SpeedQuestion
    from vilora_analysis.probes.speed.measure import measure

    if command.out is not None:
        _make(command.out)
    names = [field.name for field in dataclasses.fields(SpeedQuestion)]
    question = SpeedQuestion(**{name: getattr(command, name) for name in names})
    answer = bench_answer(measure(question), question.allocate_every)
    console.print(_steps_table(answer.tables["bench_summary"]))
    console.print(_split_table(answer.tables["bench_split"]))
    for note in answer.notes:
        console.line(note)
    console.line(answer.verdict)
    if command.out is not None:
        with recorded():
            files = write_answer(answer, command.out)
        console.line(f"{len(files)} files in {command.out}")
    return 0


def _make(out: Path) -> None:
    """Make the folder before minutes of measuring, and not after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None


def bench_answer(measured: Measured, allocate_every: int) -> Answer:
    """Tables, figure and verdict of what was measured.

    Parameters
    ----------
    measured
        Steps, and what they were taken on.
    allocate_every
        Steps between two prunings that the average step is reckoned for.
    """
    summary = analysis.speed_summary(measured.steps, allocate_every)
    split = analysis.speed_split(measured.steps, allocate_every)
    effects = analysis.speed_effects(measured.steps, allocate_every)
    machine = _machine(measured.machine)
    every = "every step" if allocate_every == 1 else f"one step in {allocate_every}"
    caption = (
        f"{machine} Pruning at {every}. Ratios round by round; interval: bootstrap over rounds."
    )
    return Answer(
        tables={
            "bench_steps": measured.steps,
            "bench_summary": summary,
            "bench_split": split,
            "bench_effects": effects,
            "bench_writing": measured.writing,
            "bench_machine": measured.machine,
        },
        figures={"bench": lambda: figures.step_times(summary, split, caption=caption)},
        verdict=analysis.speed_verdict(effects, allocate_every, split=split),
        notes=(*_writing(measured.writing), machine),
    )


def _steps_table(summary: pd.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("variant")
    for name in ("ms a step", "quartiles", "ratio", "95% interval", "ms, prunes", "ms, between"):
        table.add_column(name, justify="right", no_wrap=True)
    for variant, rows in summary.groupby("variant", sort=False):
        by = {row["when"]: row for row in rows.to_dict("records")}
        row = by["average"]
        table.add_row(
            str(variant),
            f"{row['median_ms']:.1f}",
            f"{row['low_ms']:.1f}–{row['high_ms']:.1f}",
            f"{row['ratio']:.3f}",
            f"{row['low']:.3f}–{row['high']:.3f}",
            f"{by['prunes']['median_ms']:.1f}",
            f"{by['between']['median_ms']:.1f}",
        )
    return table


def _split_table(split: pd.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False, title="where it goes, ms", title_justify="left")
    table.add_column("variant")
    for phase in dict.fromkeys(split["phase"]):
        table.add_column("optimizer" if phase == "update" else str(phase), justify="right")
    for variant, rows in split.groupby("variant", sort=False):
        table.add_row(str(variant), *(f"{value:.2f}" for value in rows["ms"]))
    return table


def _writing(writing: pd.DataFrame) -> list[str]:
    """What the log costs beside the steps: it is written out at the end here, else now and then."""
    return [
        f"{row['variant']}: writing out {row['steps']} recorded steps "
        f"({row['bytes'] / 1e3:.0f} kB) and closing the log took {1e3 * row['seconds']:.0f} ms, "
        "which are in no step"
        for row in writing.to_dict("records")
    ]


def _machine(machine: pd.DataFrame) -> str:
    on = machine.iloc[0]
    threads = f"{on['threads']} thread{'s' if on['threads'] > 1 else ''}"
    where = f"{on['cpu']}, {on['cores']} cores, {threads}"
    where += ", processor's time" if on["clock"] == "cpu" else ""
    where = where if on["device"] == "cpu" else f"{on['device']} ({where})"
    return (
        f"{where}, torch {on['torch']}, load average {on['load_before']:.1f} to "
        f"{on['load_after']:.1f}; {Path(str(on['model'])).name} on {on['task']}, batch "
        f"{on['batch_size']}, {on['triplets']} triplets."
    )
