"""``vilora check``: what is wrong with a log, what cannot be asked of it, and how it is mended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from vilora_analysis.cli.terminal import Terminal, inert
from vilora_analysis.log import Problem, check_run, remarks
from vilora_analysis.log.repair import Action, repair_run

__all__ = ["check"]

_NEEDED_BY = {
    "triplets": "scores, ranks, correlations, posterior health, shadow allocation and the checks "
    "of the theory, at these steps",
    "metrics": "loss and results over the steps",
    "events": "decisions: budget, threshold, what was pruned and revived",
    "elements": "identities and aggregations on recorded elements",
}


def check(runs: Sequence[Path], console: Terminal, *, repair: bool) -> int:
    """Check runs one after the other, and mend them first if asked to.

    Returns
    -------
    int
        0 if nothing is wrong, or is any more; 1 if something is.
    """
    status = 0
    for run in runs:
        if repair:
            _show(run, repair_run(run), console)
        problems = check_run(run)
        said = [*map(str, problems), *_affected(run, problems)]
        said += [f"{run}: {remark}" for remark in remarks(run)]
        for line in said or [f"{run}: sound"]:
            console.line(line)
        status = 1 if problems else status
    return status


def _affected(run: Path, problems: Sequence[Problem]) -> list[str]:
    """What cannot be asked before the run is mended, table by table."""
    if any(problem.path.name == "run.json" for problem in problems):
        return [
            f"{run}: nothing can be asked of it; vilora check --repair mends what can be mended"
        ]
    said = []
    for table, needed in _NEEDED_BY.items():
        spans = [problem.affected for problem in problems if problem.table == table]
        if spans:
            said.append(f"{run}: affected: {'; '.join(dict.fromkeys(spans))}: {needed}")
    if said:
        said.append(f"{run}: vilora check --repair sets bad parts aside, and the rest can be read")
    return said


def _show(run: Path, done: Sequence[Action], console: Terminal) -> None:
    if not done:
        console.line(f"{run}: nothing to repair")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("done", "file", "why"):
        table.add_column(name, overflow="fold", no_wrap=name == "done")
    for action in done:
        table.add_row(action.what, inert(action.path.relative_to(run)), inert(action.why))
    console.line(f"{run}: repaired; what was set aside is in {run / 'set-aside'}")
    console.print(table)
