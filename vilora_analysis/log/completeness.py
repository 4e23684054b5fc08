"""Is everything there that a run must have written, and what is there to say of it besides?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vilora_analysis.budget import BudgetSchedule
from vilora_analysis.errors import ConfigError
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.parts import list_parts
from vilora_analysis.log.state import RunState, run_state

__all__ = ["missing_tables", "remarks"]


def missing_tables(path: Path, manifest: Manifest) -> Iterator[tuple[Path, str]]:
    """Tables that are gone or end too early, and what is wrong with each.

    Every step writes metrics, so they say how far the run went; the other tables are measured
    against that.

    Parameters
    ----------
    path
        The run directory.
    manifest
        Its manifest.
    """
    closed = manifest.status != "running"
    recorded = _last(path / "triplets")
    if closed and _last(path / "metrics") < recorded:
        yield path / "metrics", f"ends before step {recorded}, the last of the triplets"
        return
    taken = _steps_written(path, manifest)
    elements_every = manifest.recorder.get("elements_every") or 0
    dues = {"triplets": manifest.every, "elements": elements_every} if manifest.n_triplets else {}
    for table, every in dues.items():
        due = taken // every * every if every else 0
        if _last(path / table) < due:
            yield path / table, f"ends before step {due}, but the run took {taken}"
    first = _first_decision(manifest)
    # more than one step past it: a loop that allocates by itself may count its steps from 0
    if first is not None and taken > first and not list_parts(path / "events"):
        yield path / "events", f"is empty, but the first decision was due at step {first}"


def _steps_written(path: Path, manifest: Manifest) -> int:
    """Steps of which every table must know.

    Tables are written one after the other, metrics first: of a run that was not closed the last
    write may be missing elsewhere, and the step at which a run failed is not recorded.
    """
    parts = list_parts(path / "metrics")
    if manifest.status == "running":
        return parts[-2].last if len(parts) > 1 else 0
    return parts[-1].last - (manifest.status == "failed") if parts else 0


def _last(directory: Path) -> int:
    return max((part.last for part in list_parts(directory)), default=0)


def _first_decision(manifest: Manifest) -> int | None:
    schedule = manifest.recorder.get("schedule")
    if manifest.criterion is None or not isinstance(schedule, dict):
        return None
    try:
        budget = BudgetSchedule(**schedule)
    except (TypeError, ConfigError):
        return None  # of another version; nothing can be said
    return next(s for s in range(budget.tinit + 1, budget.final_step + 1) if budget.decides(s))


def remarks(path: str | Path) -> list[str]:
    """What a reader of a run should know though nothing is wrong with its log.

    Parameters
    ----------
    path
        The run directory.

    Returns
    -------
    list of str
        That it is not finished, failed, or recorded nothing; empty if there is nothing to say.
    """
    state = run_state(Path(path))
    if state.manifest is None:
        return []
    return [*_ending(state), *_recording(Path(path), state.manifest, state.steps)]


def _ending(state: RunState) -> Iterator[str]:
    at = f"after step {state.steps}"
    if state.state == "running":
        yield f"not finished: still being written, {at}"
    elif state.state == "interrupted":
        yield f"not finished: it ended {at} without being closed, and nobody writes it now"
    elif state.state == "failed":
        yield f"not finished: it failed {at}" + (f": {state.reason}" if state.reason else "")


def _recording(path: Path, manifest: Manifest, steps: int) -> Iterator[str]:
    if manifest.n_triplets and not list_parts(path / "triplets"):
        yield f"no step is recorded: one in {manifest.every} is, and the run took {steps}"
