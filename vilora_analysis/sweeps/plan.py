"""What a sweep has still to do, from the state of its runs on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vilora_analysis.errors import ConfigError, refuse_file
from vilora_analysis.log.state import RunState, run_state
from vilora_analysis.sweeps.grid import Cell, Grid

__all__ = ["Plan", "plan_sweep"]


@dataclass(frozen=True)
class Plan:
    """Cells of a grid with their states, and which of them to run.

    Attributes
    ----------
    states
        Every cell, in the order of the grid, and how far it is.
    to_run
        Cells that are neither finished nor being run by somebody; failed ones if asked for.
    """

    states: tuple[tuple[Cell, RunState], ...]
    to_run: tuple[Cell, ...]

    def having(self, state: str) -> list[tuple[Cell, RunState]]:
        """Cells in one state."""
        return [(cell, found) for cell, found in self.states if found.state == state]


def plan_sweep(grid: Grid, *, retry_failed: bool = False) -> Plan:
    """Compare a grid with what is on disk.

    Parameters
    ----------
    grid
        The runs asked for.
    retry_failed
        Whether to run what failed once more.

    Raises
    ------
    ConfigError
        If the directory of a cell holds a run of another configuration.
    LogError
        If a file stands where the folder of the runs should.
    """
    refuse_file(grid.out)
    states = tuple((cell, run_state(cell.path)) for cell in grid.cells)
    _refuse_others(states, grid)
    wanted = {"absent", "interrupted", *(["failed"] if retry_failed else [])}
    return Plan(states, tuple(cell for cell, found in states if found.state in wanted))


def _refuse_others(states: tuple[tuple[Cell, RunState], ...], grid: Grid) -> None:
    others = {cell.name: _differences(cell, found) for cell, found in states}
    others = {name: differences for name, differences in others.items() if differences}
    if not others:
        return
    name, differences = next(iter(others.items()))
    more = f", and {len(others) - 1} more like it" if len(others) > 1 else ""
    raise ConfigError(
        f"{grid.out / name} holds a run of another configuration ({differences}){more}; choose "
        "another out, or delete it"
    )


def _differences(cell: Cell, found: RunState) -> str:
    """What the run on disk was told otherwise; settings it does not know of are left out."""
    there: Mapping[str, Any] = {} if found.manifest is None else found.manifest.config
    here = json.loads(json.dumps(cell.config.as_dict(), default=str))
    return ", ".join(
        f"{name}: {there[name]} there, {value} now"
        for name, value in here.items()
        if name in there and there[name] != value
    )
