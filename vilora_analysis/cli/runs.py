"""What ``vilora runs`` shows: every run below some folders, one line each."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal, inert
from vilora_analysis.errors import LogError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["duration", "list_runs"]

_WIDE = 10_000
_SHOWN = ("task", "method", "optimizer", "criterion", "seed")


def duration(seconds: float) -> str:
    """Duration to read.

    Examples
    --------
    >>> duration(7.2), duration(432), duration(7265)
    ('7 s', '7 min 12 s', '2 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return (
        f"{minutes} min {rest:02d} s"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60:02d} min"
    )


def list_runs(command: commands.Runs, console: Terminal) -> int:
    """Show a table of the runs below folders, and write the whole of it if asked to."""
    from vilora_analysis.analysis import runs_table
    from vilora_analysis.log.state import find_run_directories

    if not command.folders:
        raise LogError("name at least one folder of runs")
    paths = [path for folder in command.folders for path in find_run_directories(folder)]
    if not paths:
        raise LogError(f"no runs below {', '.join(map(str, command.folders))}")
    frame = runs_table(dict.fromkeys(paths))
    _show_common(frame, console)
    for line in _lines(_table(frame)):
        console.line(line)
    for run, reason in frame.loc[frame["reason"] != "", ["run", "reason"]].itertuples(index=False):
        console.line(f"{run}: {reason}")
    if command.csv is not None:
        _write(frame, command.csv)
        console.line(f"{len(frame)} rows in {command.csv}")
    return 0


def _table(frame: pd.DataFrame) -> Table:
    """A line for each run: the settings that differ, and the tasks' metrics."""
    settings = [name for name in _differing(frame) if name in _SHOWN]
    results = [name for name in map(str, frame) if _is_metric(frame, name)]
    table = Table(box=None, pad_edge=False)
    table.add_column("run", no_wrap=True)
    for name in ("state", *settings, "steps_done", *results, "seconds"):
        number = name in ("steps_done", "seed", "seconds", *results)
        header = {"steps_done": "steps", "seconds": "time"}.get(name, name)
        table.add_column(header, justify="right" if number else "left", no_wrap=True)
    for label, (_, row) in zip(_labels(frame), frame.iterrows(), strict=True):
        cells = [_cell(row[name]) for name in ("state", *settings, "steps_done", *results)]
        table.add_row(inert(label), *cells, _cell(row["seconds"], duration))
    return table


def _lines(table: Table) -> list[str]:
    """Lines of a table as wide as it needs to be: a value that is cut in two cannot be searched."""
    page = Console(file=io.StringIO(), width=_WIDE, markup=False, emoji=False, highlight=False)
    with page.capture() as taken:
        page.print(table)
    return [line.rstrip() for line in taken.get().splitlines()]


def _labels(frame: pd.DataFrame) -> list[str]:
    """Names of the runs, or whole paths where two have the same name."""
    names = [Path(run).name for run in frame["run"]]
    return names if len({*names}) == len(names) else list(frame["run"])


def _differing(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if len(frame[name].dropna().unique()) > 1]


def _show_common(frame: pd.DataFrame, console: Terminal) -> None:
    """Say what is the same in every run, in one line above the table."""
    differing = _differing(frame)
    common = [name for name in _SHOWN if name in frame and name not in differing]
    said = [
        f"{name} {frame[name].dropna().iloc[0]}" for name in common if frame[name].notna().any()
    ]
    if said:
        console.line(", ".join(said))


def _is_metric(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column is a number of a task's metric, or of the best among its evaluations."""
    from vilora_analysis.training.tasks import TASKS

    known = {metric for task in TASKS.values() for metric in task.metrics}
    word = name.removeprefix("best_").partition("_")[0]
    return word in known and frame[name].dtype.kind in "fi"


def _cell(value: Any, shown: Callable[[Any], str] = str) -> str:
    import pandas as pd

    if pd.isna(value):
        return ""
    is_plain_number = isinstance(value, float) and shown is str
    return f"{value:.4g}" if is_plain_number else inert(shown(value))


def _write(frame: pd.DataFrame, path: Path) -> None:
    from vilora_analysis.audits import csv_text
    from vilora_analysis.log.parts import replace_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, csv_text(frame))
    except OSError as error:
        raise LogError(f"cannot write {path}: {error.strerror or error}") from None
