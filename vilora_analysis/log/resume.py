"""Going on with a run: what was written after the checkpoint goes, what was before it stays."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow.compute as pc

from vilora_analysis.errors import LogError
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.parts import list_parts, write_part
from vilora_analysis.log.reader import read_part

__all__ = ["continue_run"]

_TABLES = ("triplets", "elements", "metrics", "events")


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
    for table in _TABLES:
        _cut(directory / table, step)
    return dataclasses.replace(manifest, run_id=before.run_id, created=before.created)


def _cut(directory: Path, step: int) -> None:
    for part in list_parts(directory):
        if part.first <= step < part.last:
            rows = read_part(part)
            # first the shorter part, then the longer one goes: killed in between, it is done again
            write_part(directory, part.sequence, rows.filter(pc.field("step") <= step))
        if part.last > step:
            part.path.unlink()


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 80 else text[:77] + "..."
