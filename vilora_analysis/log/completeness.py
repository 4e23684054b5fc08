"""Is everything there that a run must have written, and what is there to say of it besides?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from vilora_analysis.budget import BudgetSchedule
from vilora_analysis.errors import ConfigError
from vilora_analysis.log.manifest import FILE, Manifest, is_changed
from vilora_analysis.log.parts import list_parts
from vilora_analysis.log.places import as_place
from vilora_analysis.log.state import RunState, run_state

__all__ = ["REBUILT", "missing_before", "missing_tables", "remarks"]

REBUILT = "rebuilt_from_parts"
"""Key of the configuration of a manifest that was rebuilt: what it does not know."""


def missing_tables(path: Path, manifest: Manifest) -> Iterator[tuple[Path, str, int, int]]:
    """Tables that are gone or end too early, what is wrong with each, and steps that are missing.

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
    recorded, written = _last(path, manifest, "triplets"), _last(path, manifest, "metrics")
    if closed and written < recorded:
        what = f"ends before step {recorded}, the last of the triplets"
        yield path / "metrics", what, written + 1, recorded
        return
    taken = _steps_written(path, manifest)
    for table, first, last in _short_tables(path, manifest, _intervals(manifest), taken):
        what = f"ends before step {last}, but the run took {taken}"
        yield path / table, what, first, last
    decided = _first_decision(manifest)
    # more than one step past it: a loop that allocates by itself may count its steps from 0
    if decided is not None and taken > decided and not _last(path, manifest, "events"):
        what = f"is empty, but the first decision was due at step {decided}"
        yield path / "events", what, decided, taken


def missing_before(path: Path, manifest: Manifest, step: int) -> Iterator[tuple[str, int, int]]:
    """Tables that do not reach a step up to which all must have been written, and missing steps.

    Parameters
    ----------
    path
        The run directory.
    manifest
        Its manifest.
    step
        Step of a checkpoint: what is recorded until then is on disk before it is made.
    """
    yield from _short_tables(path, manifest, {"metrics": 1, **_intervals(manifest)}, step)
    schedule = _schedule(manifest)
    decided = [s for s in range(1, step) if schedule.decides(s)] if schedule is not None else []
    there = _last(path, manifest, "events")
    if decided and there < decided[-1]:
        yield "events", there + 1, step


def _intervals(manifest: Manifest) -> dict[str, int]:
    """Steps between two that are due, of tables that take some steps only."""
    elements = manifest.recorder.get("elements_every") or 0
    known = {"triplets": manifest.every, "elements": elements} if manifest.n_triplets else {}
    return {table: every for table, every in known.items() if every}


def _short_tables(
    path: Path, manifest: Manifest, intervals: Mapping[str, int], taken: int
) -> Iterator[tuple[str, int, int]]:
    for table, every in intervals.items():
        due, there = taken // every * every, _last(path, manifest, table)
        if there < due:
            yield table, there // every * every + every, due


def _steps_written(path: Path, manifest: Manifest) -> int:
    """Steps of which every table must know.

    Tables are written one after the other, metrics first: of a run that was not closed the last
    write may be missing elsewhere, and the step at which a run failed is not recorded.
    """
    parts = list_parts(path / "metrics")
    if manifest.status == "running":
        return parts[-2].last if len(parts) > 1 else 0
    return parts[-1].last - (manifest.status == "failed") if parts else 0


def _last(path: Path, manifest: Manifest, table: str) -> int:
    """Last step that is there, or known not to be."""
    known = [gap.last for gap in manifest.gaps if gap.table == table]
    return max([0, *known, *(part.last for part in list_parts(path / table))])


def _first_decision(manifest: Manifest) -> int | None:
    budget = _schedule(manifest)
    if budget is None:
        return None
    return next(s for s in range(budget.tinit + 1, budget.final_step + 1) if budget.decides(s))


def _schedule(manifest: Manifest) -> BudgetSchedule | None:
    schedule = manifest.recorder.get("schedule")
    if manifest.criterion is None or not isinstance(schedule, dict):
        return None
    try:
        return BudgetSchedule(**schedule)
    except (TypeError, ConfigError):
        return None  # of another version; nothing can be said


def remarks(path: str | Path) -> list[str]:
    """What a reader of a run should know though nothing is wrong with its log.

    Parameters
    ----------
    path
        The run directory.

    Returns
    -------
    list of str
        That it is not finished, failed, or recorded nothing, what is known to be missing, and that
        its manifest was changed or rebuilt; empty if there is nothing to say.
    """
    place = as_place(path)
    state = run_state(place)
    if state.manifest is None:
        return []
    return [
        *_ending(state),
        *_recording(place, state.manifest, state.steps),
        *_known(place, state.manifest),
    ]


def _known(path: Path, manifest: Manifest) -> Iterator[str]:
    for gap in manifest.gaps:
        span = f"step {gap.first}" if gap.first == gap.last else f"steps {gap.first} to {gap.last}"
        yield f"known gap: {gap.table}, {span}: {gap.reason}"
    if REBUILT in manifest.config:
        yield f"{FILE} was rebuilt from the parts: {manifest.config[REBUILT]}"
    if is_changed(path):
        yield f"{FILE} was changed by hand since it was written"


def _ending(state: RunState) -> Iterator[str]:
    at = f"after step {state.steps}"
    if state.state == "running":
        yield f"not finished: still being written, {at}"
    elif state.state == "interrupted":
        yield f"not finished: it ended {at} without being closed, and nobody writes it now"
    elif state.state == "failed":
        yield f"not finished: it failed {at}" + (f": {state.reason}" if state.reason else "")


def _recording(path: Path, manifest: Manifest, steps: int) -> Iterator[str]:
    lost = any(gap.table == "triplets" for gap in manifest.gaps)
    if manifest.n_triplets and not lost and not list_parts(path / "triplets"):
        yield f"no step is recorded: one in {manifest.every} is, and the run took {steps}"
