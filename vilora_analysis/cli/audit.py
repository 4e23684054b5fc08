"""``vilora audit``: every audit of every run, and of all together."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.progress import Progress, TimeElapsedColumn

from vilora_analysis.audits import Result, audit_runs, planned, write_page
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal, inert
from vilora_analysis.cli.working import working
from vilora_analysis.log import Run, references
from vilora_analysis.provenance import recorded

__all__ = ["audit"]


def audit(command: commands.Audit, console: Terminal, runs: Sequence[Run]) -> int:
    """Ask everything that can be asked, and say what came out of all runs together."""
    results: list[Result] = []
    bars = Progress(*Progress.get_default_columns(), TimeElapsedColumn(), transient=True)
    with working(command.scheduler), bars as bar:
        task = bar.add_task("audit", total=planned(runs))
        for result in audit_runs(runs, command.out):
            results.append(result)
            shown = escape(inert(f"{result.audit} {result.run}".strip()))
            bar.update(task, advance=1, description=shown)
    with recorded(references(runs)):
        page = write_page(results, command.out)
    for result in results:
        if not result.run or len(runs) == 1:
            _say(result, console)
    files = sum(len(result.files) for result in results) + len(page)
    taken = sum(result.seconds for result in results)
    console.line(f"{files} files in {command.out}, in {taken:.0f} s; what was found: {page[0]}")
    return 0


def _say(result: Result, console: Terminal) -> None:
    for said in (result.verdict, *result.notes):
        if said:
            console.line(f"{result.audit}: {said}")
