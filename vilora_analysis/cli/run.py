"""What each command does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from vilora_analysis.cli import commands
from vilora_analysis.errors import LogError
from vilora_analysis.training.config import RunConfig

__all__ = ["run_command"]


def run_command(command: commands.Command) -> int:
    """Run a parsed command and return its exit status."""
    return _COMMANDS[type(command)](command, Console())


def _demo(command: commands.Demo, console: Console) -> int:
    config = RunConfig(out=command.out / "run", steps=command.steps, seed=command.seed)
    return _train(config, console, figures=command.out / "analysis")


def _train(config: RunConfig, console: Console, figures: Path | None = None) -> int:
    from vilora_analysis.cli.show import show_summary
    from vilora_analysis.training.run import train

    console.print(
        f"{config.task}: {config.steps} steps of {config.optimizer}, "
        f"criterion {config.criterion}, model {config.model}",
        highlight=False,
    )
    run = train(config)
    show_summary(run, console)
    console.print(f"log       {run.path}", highlight=False)
    if figures is None:
        console.print(f"analyse   vilora analyze {run.path}", highlight=False)
    else:
        from vilora_analysis.cli.artefacts import analyse

        analyse(run, figures)
        console.print(f"figures   {figures}", highlight=False)
    return 0


def _analyze(command: commands.Analyze, console: Console) -> int:
    from vilora_analysis.cli.artefacts import analyse
    from vilora_analysis.cli.show import show_summary

    runs = _find(command.runs)
    if len({run.name for run in runs}) < len(runs):
        raise LogError("several runs have the same name; analyze them one by one, each to an --out")
    for run in runs:
        out = command.out if len(runs) == 1 else command.out / run.name
        written = analyse(run, out)
        show_summary(run, console)
        console.print(f"{len(written)} files in {out}", highlight=False)
    return 0


def _scores(command: commands.Scores, console: Console) -> int:
    from vilora_analysis.cli.show import show_scores

    show_scores(console)
    return 0


def _check(command: commands.Check, console: Console) -> int:
    from vilora_analysis.log import check_run

    status = 0
    for path in _run_directories(command.runs):
        problems = check_run(path)
        for problem in problems:
            console.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        if not problems:
            console.print(f"{path}: sound", markup=False, highlight=False)
        status = 1 if problems else status
    return status


def _run_directories(paths: Sequence[Path]) -> list[Path]:
    """Run directories at or below paths, the unreadable ones too: a check must see them."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            raise LogError(f"no run directory {path}")
        below = sorted(manifest.parent for manifest in path.glob("*/run.json"))
        found.extend(below if below and not (path / "run.json").exists() else [path])
    if not found:
        raise LogError("name at least one run directory")
    return found


def _find(paths: Sequence[Path]) -> list[Any]:
    from vilora_analysis.log import open_run

    return [open_run(path) for path in _run_directories(paths)]


_COMMANDS: dict[type, Callable[[Any, Console], int]] = {
    commands.Demo: _demo,
    commands.Train: _train,
    commands.Analyze: _analyze,
    commands.Scores: _scores,
    commands.Check: _check,
}
