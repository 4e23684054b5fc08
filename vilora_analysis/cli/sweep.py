"""What ``vilora sweep`` does, and what it shows meanwhile."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from vilora_analysis.cli import commands
from vilora_analysis.cli.runs import duration
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.sweeps import ClusterOptions, read_grid

if TYPE_CHECKING:
    from vilora_analysis.sweeps.execute import Outcome
    from vilora_analysis.sweeps.plan import Plan

__all__ = ["sweep"]

_EXIT_INTERRUPTED = 130


def sweep(command: commands.Sweep, console: Terminal) -> int:
    """Run what is missing of a grid; 1 if a run failed or was given up, 130 on Ctrl-C."""
    from vilora_analysis.sweeps.plan import plan_sweep

    data_dir = None if command.data_dir is None else str(command.data_dir)
    grid = read_grid(command.grid, out=command.out, data_dir=data_dir)
    plan = plan_sweep(grid, retry_failed=command.retry_failed)
    if command.dry_run:
        return _show_plan(plan, console)
    for name, reason in _left_out(plan, command.retry_failed):
        console.line(f"{name}  {reason}")
    counts = Counter(found.state for _, found in plan.states)
    console.line(
        f"{len(plan.states)} runs in {grid.out}: {counts['finished']} finished before, "
        f"{len(plan.to_run)} to run"
    )
    ended: list[Outcome] = []
    try:
        if plan.to_run:
            _run(command, plan, console, ended)
    except KeyboardInterrupt:
        count = f"{len(ended)} of {len(plan.to_run)}"
        console.line(f"interrupted with {count} runs ended; the same command goes on")
        return _EXIT_INTERRUPTED
    return _tally(plan, ended, command.retry_failed, console)


def _run(command: commands.Sweep, plan: Plan, console: Terminal, ended: list[Outcome]) -> None:
    """Run what the plan says; outcomes come as they are, so that an interrupt loses none."""
    from vilora_analysis.sweeps.cluster import open_cluster
    from vilora_analysis.sweeps.sweep import run_sweep

    def report(outcome: Outcome, done: int, count: int) -> None:
        ended.append(outcome)
        console.line(f"[{done:{len(str(count))}}/{count}] {_described(outcome)}")

    names = [field.name for field in dataclasses.fields(ClusterOptions)]
    with open_cluster(ClusterOptions(**{n: getattr(command, n) for n in names})) as cluster:
        run_sweep(plan.to_run, cluster, report)


def _described(outcome: Outcome) -> str:
    value = "" if outcome.value is None else f"  {outcome.metric} {outcome.value:.4g}"
    reason = f"  {outcome.reason}" if outcome.reason else ""
    return f"{outcome.name}  {outcome.state}{value}  {duration(outcome.seconds)}{reason}"


def _left_out(plan: Plan, retry_failed: bool) -> list[tuple[str, str]]:
    """Runs that are neither finished nor to be run, and why."""
    said = {"running": "is being run by another process", "unreadable": "unreadable: "}
    if not retry_failed:
        said["failed"] = "failed before, left alone without --retry-failed: "
    return [
        (cell.name, said[found.state] + found.reason)
        for cell, found in plan.states
        if found.state in said
    ]


def _tally(plan: Plan, outcomes: list[Outcome], retried: bool, console: Terminal) -> int:
    """Say how all runs of the grid stand now."""
    now: Counter[str] = Counter(outcome.state for outcome in outcomes)
    states = {
        "finished": len(plan.having("finished")) + now["finished"],
        "failed": (0 if retried else len(plan.having("failed"))) + now["failed"],
        "unreadable": len(plan.having("unreadable")),
        "interrupted": now["interrupted"],
        "run by another process": len(plan.having("running")) + now["busy"],
    }
    console.line(", ".join(f"{count} {state}" for state, count in states.items() if count))
    if states["failed"]:
        console.line("why a run failed is in its error.txt; --retry-failed runs it again")
    return 1 if states["failed"] + states["unreadable"] + states["interrupted"] else 0


def _show_plan(plan: Plan, console: Terminal) -> int:
    for cell, found in plan.states:
        steps = f"  {found.steps} of {cell.config.steps} steps" if found.steps else ""
        state = "not started" if found.state == "absent" else found.state
        console.line(f"{cell.name}  {state}{steps}{'  ' if found.reason else ''}{found.reason}")
    console.line(f"{len(plan.states)} runs, {len(plan.to_run)} to run")
    return 0
