"""``vilora report``: the audit of runs as one page of HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from rich.progress import Progress, TaskID, TimeElapsedColumn

from vilora_analysis.audits import Asked, planned
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.cli.working import working
from vilora_analysis.log import Run
from vilora_analysis.report import drawing_process, write_report

__all__ = ["report"]


def report(command: commands.Report, console: Terminal, find: Callable[[], Sequence[Run]]) -> int:
    """Audit the runs, write the page, and say where it is."""
    # who draws is forked, which a connected client would not survive
    with drawing_process() as executor, working(command.scheduler):
        runs = find()
        with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), transient=True) as bar:
            task = bar.add_task("report", total=planned(runs))
            watch = partial(_advance, bar=bar, task=task)
            written = write_report(runs, command.out, command.title, executor=executor, watch=watch)
    size = written.stat().st_size / 1e6
    console.line(f"{written}, {size:.1f} MB: {len(runs)} run{'s' if len(runs) > 1 else ''}")
    return 0


def _advance(answers: Iterable[Asked], bar: Progress, task: TaskID) -> Iterator[Asked]:
    for asked in answers:
        bar.update(task, advance=1, description=f"{asked.audit} {asked.run}".strip())
        yield asked
