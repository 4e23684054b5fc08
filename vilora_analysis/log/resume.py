"""Going on with a run: what was written after the checkpoint goes, what was before it stays."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vilora_analysis.errors import LogError
from vilora_analysis.log.compact import discard_superseded
from vilora_analysis.log.completeness import missing_before
from vilora_analysis.log.gaps import gaps_up_to
from vilora_analysis.log.manifest import FILE, GapRow, Manifest
from vilora_analysis.log.parts import Part, list_parts, write_groups
from vilora_analysis.log.places import is_remote
from vilora_analysis.log.reading import read_groups, schema_of

__all__ = ["continue_run", "forget_unfinished"]

# metrics first: how far the others have to go is measured against them
_TABLES = ("metrics", "events", "elements", "triplets")
_LOST = "not in the log when the run went on after them"


def continue_run(directory: Path, manifest: Manifest, step: int) -> Manifest:
    """Cut a log back to a step, and give the manifest it goes on under.

    Parameters
    ----------
    directory
        The run directory, with its lock held.
    manifest
        What the process that goes on would write of itself.
    step
        Last step to keep; 0 starts over.

    Returns
    -------
    Manifest
        The new one with the identity of the old.

    Raises
    ------
    LogError
        If there is no run, or one that recorded something else.
    """
    before = Manifest.load(directory)
    for name in ("modules", "scores", "criterion", "every"):
        if getattr(before, name) != getattr(manifest, name):
            raise LogError(
                f"cannot go on with {directory}: its {name} were {_short(getattr(before, name))}, "
                f"now they are {_short(getattr(manifest, name))}"
            )
    if before.status != "running":  # killed in between, what is cut already is not missing
        dataclasses.replace(before, status="running", finished="", ends={}).save(directory)
    discard_superseded(directory)
    for table in _TABLES:
        _cut(directory / table, step)
    discard_superseded(directory)
    known = dataclasses.replace(before, gaps=gaps_up_to(before.gaps, step))
    # later parts follow without a hole in their numbers: nothing else would tell
    lost = [GapRow(*span, _LOST) for span in missing_before(directory, known, step)]
    return dataclasses.replace(
        manifest,
        run_id=before.run_id,
        created=before.created,
        gaps=(*known.gaps, *lost),
    )


def forget_unfinished(directory: Path) -> None:
    """Delete what killed writes left beside the manifest and the parts; with the lock held."""
    if is_remote(directory):
        return
    left = (folder.glob(".part-*.tmp") for folder in (directory / name for name in _TABLES))
    for path in [*directory.glob(f".*{FILE}*.tmp"), *itertools.chain.from_iterable(left)]:
        path.unlink(missing_ok=True)


def _cut(directory: Path, step: int) -> None:
    for part in reversed(list_parts(directory)):  # killed in between, it leaves no hole
        if part.first <= step < part.last:
            # first the shorter part, then the longer one goes: killed in between, it is done again
            _shorten(part, step)
        if part.last > step:
            part.path.unlink()


def _shorten(part: Part, step: int) -> None:
    def up_to(columns: list[str] | None) -> Iterator[pa.Table]:
        groups = (g.filter(pc.field("step") <= step) for g in read_groups(part, columns))
        return (group for group in groups if group.num_rows)

    last = max(pc.max(group["step"]).as_py() for group in up_to(["step"]))
    write_groups(part.beside(part.first, last), schema_of(part), up_to(None))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 80 else text[:77] + "..."
