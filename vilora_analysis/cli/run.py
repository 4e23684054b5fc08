"""What each command does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from vilora_analysis.cli import commands
from vilora_analysis.cli.outputs import refuse_remote_outputs
from vilora_analysis.cli.runs import list_runs
from vilora_analysis.cli.sweep import sweep
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.cli.train import train
from vilora_analysis.errors import LogError
from vilora_analysis.training.config import RunConfig

__all__ = ["run_command"]


def run_command(command: commands.Command) -> int:
    """Run a parsed command and return its exit status."""
    refuse_remote_outputs(command)
    return _COMMANDS[type(command)](command, Terminal())


def _demo(command: commands.Demo, console: Terminal) -> int:
    config = RunConfig(out=command.out / "run", steps=command.steps, seed=command.seed)
    return train(config, console, figures=command.out / "analysis")


def _analyze(command: commands.Analyze, console: Terminal) -> int:
    from vilora_analysis.figures.drawing import drawing_process

    with drawing_process() as executor:  # which loads what it needs while this one does
        return _analyze_with(executor, command, console)


def _analyze_with(executor: Executor | None, command: commands.Analyze, console: Terminal) -> int:
    from vilora_analysis.cli.artefacts import analyse
    from vilora_analysis.cli.show import show_summary

    runs = _find(command.runs)
    if len({run.name for run in runs}) < len(runs):
        raise LogError("several runs have the same name; analyze them one by one, each to an --out")
    status = 0
    for run in runs:
        out = command.out if len(runs) == 1 else command.out / run.name
        try:
            written = analyse(run, out, executor)
        except LogError as error:
            if len(runs) == 1:
                raise
            console.line(f"{run.name}: not analysed; {error}")  # the others are, all the same
            status = 2
            continue
        show_summary(run, console)
        for note in written.notes:
            console.line(note)
        if written.files:
            console.line(f"{len(written.files)} files in {out}")
    return status


def _audit(command: commands.Audit, console: Terminal) -> int:
    from vilora_analysis.cli.audit import audit

    return audit(command, console, _find(command.runs))


def _report(command: commands.Report, console: Terminal) -> int:
    from vilora_analysis.cli.report import report

    return report(command, console, lambda: _find(command.runs))


def _scores(command: commands.Scores, console: Terminal) -> int:
    from vilora_analysis.cli.show import show_scores

    show_scores(console)
    return 0


def _check(command: commands.Check, console: Terminal) -> int:
    from vilora_analysis.cli.check import check

    return check(_run_directories(command.runs), console, repair=command.repair)


def _compact(command: commands.Compact, console: Terminal) -> int:
    from vilora_analysis.cli.compact import compact

    return compact(_run_directories(command.runs), console)


def _fisher(command: commands.Fisher, console: Terminal) -> int:
    from vilora_analysis.cli.fisher import fisher

    return fisher(command, console)


def _oracle(command: commands.Oracle, console: Terminal) -> int:
    from vilora_analysis.cli.oracle import oracle

    return oracle(command, console)


def _claims(command: commands.Claims, console: Terminal) -> int:
    from vilora_analysis.cli.claims import claims

    return claims(command, console, _find(command.runs))


def _figure(command: commands.Figure, console: Terminal) -> int:
    from vilora_analysis.cli.figure import figure

    return figure(command, console, _find(command.runs))


def _table(command: commands.Table, console: Terminal) -> int:
    from vilora_analysis.cli.table import table

    paper_alone = command.published and not command.runs
    return table(command, console, [] if paper_alone else _find(command.runs))


def _planted(command: commands.Planted, console: Terminal) -> int:
    from vilora_analysis.cli.planted import planted

    return planted(command, console)


def _bench(command: commands.Bench, console: Terminal) -> int:
    from vilora_analysis.cli.bench import bench

    return bench(command, console)


def _provenance(command: commands.Provenance, console: Terminal) -> int:
    from vilora_analysis.cli.provenance import provenance

    return provenance(command, console)


def _run_directories(paths: Sequence[Path]) -> list[Path]:
    """Run directories at or anywhere below paths, also the unreadable: a check must see them."""
    from vilora_analysis.log import run_directories
    from vilora_analysis.log.places import as_place, reached

    found: list[Path] = []
    for path in map(as_place, paths):
        with reached(path):
            there = path.is_dir()
        if not there:
            raise LogError(f"no run directory {path}")
        if path.name in ("", ".."):  # what is written is named after the run
            path = path.resolve()
        found.extend(run_directories([path]) or [path])
    if not found:
        raise LogError("name at least one run directory")
    return found


def _find(paths: Sequence[Path]) -> list[Any]:
    from vilora_analysis.log import open_run

    return [open_run(path) for path in _run_directories(paths)]


_COMMANDS: dict[type, Callable[[Any, Terminal], int]] = {
    commands.Demo: _demo,
    commands.Train: train,
    commands.Analyze: _analyze,
    commands.Audit: _audit,
    commands.Report: _report,
    commands.Scores: _scores,
    commands.Check: _check,
    commands.Compact: _compact,
    commands.Fisher: _fisher,
    commands.Oracle: _oracle,
    commands.Planted: _planted,
    commands.Bench: _bench,
    commands.Claims: _claims,
    commands.Table: _table,
    commands.Figure: _figure,
    commands.Provenance: _provenance,
    commands.Sweep: sweep,
    commands.Runs: list_runs,
}
