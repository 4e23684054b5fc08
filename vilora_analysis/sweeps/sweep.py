"""Hand cells to the workers, and report each as it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vilora_analysis.errors import require
from vilora_analysis.sweeps.cluster import Cluster
from vilora_analysis.sweeps.execute import Outcome, run_cell
from vilora_analysis.sweeps.grid import Cell

__all__ = ["run_sweep"]

_ATTEMPTS = 3


def run_sweep(
    cells: Sequence[Cell], cluster: Cluster, report: Callable[[Outcome, int, int], None]
) -> list[Outcome]:
    """Run cells until each has come to an end.

    A cell whose worker dies goes to another, which Dask sees to; one that is asked to stop is
    handed out again, a few times. Either goes on from its last checkpoint.

    Parameters
    ----------
    cells
        What to run, as :func:`plan_sweep` says.
    cluster
        Where, from :func:`open_cluster`.
    report
        Called as each ends, with its outcome, how many have ended, and how many there are.

    Returns
    -------
    list of Outcome
        In the order in which they ended.
    """
    distributed = require("distributed", extra="sweep")
    attempts = {_submit(cluster, cell, 1): (cell, 1) for cell in cells}
    ended = distributed.as_completed(attempts, loop=cluster.client.loop)
    outcomes: list[Outcome] = []
    try:
        for future in ended:
            cell, attempt = attempts[future]
            outcome = _outcome(future, cell)
            asked_to_stop = outcome.state == "interrupted" and future.status == "finished"
            if asked_to_stop and attempt < _ATTEMPTS:
                again = _submit(cluster, cell, attempt + 1)
                attempts[again] = (cell, attempt + 1)
                ended.add(again)
                continue
            outcomes.append(outcome)
            report(outcome, len(outcomes), len(cells))
    finally:
        # workers that are not ours would go on with what nobody waits for
        cluster.client.cancel([future for future in attempts if not future.done()])
    return outcomes


def _submit(cluster: Cluster, cell: Cell, attempt: int) -> Any:
    return cluster.client.submit(
        run_cell,
        cell,
        cluster.threads,
        key=f"vilora:{cell.path}#{attempt}",
        pure=False,
        resources=dict(cluster.resources) or None,
    )


def _outcome(future: Any, cell: Cell) -> Outcome:
    """What the worker returned, or in its place what Dask says of its death."""
    if future.status == "finished":
        returned: Outcome = future.result()
        return returned
    if future.status == "cancelled":
        return Outcome(cell.name, "interrupted", "the scheduler has gone")
    error = future.exception()
    said = " ".join(str(error).split())
    return Outcome(cell.name, "failed", f"{type(error).__name__}: {said}")
