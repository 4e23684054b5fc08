"""Where the parts of a table do not stand one after the other, though their run wrote them so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from vilora_analysis.errors import LogError
from vilora_analysis.log.gaps import explains
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.parts import Part, list_parts

__all__ = [
    "TABLES",
    "Hole",
    "doubled_parts",
    "ends_of",
    "interval",
    "repeated_parts",
    "unexplained_holes",
    "whole_parts",
]

TABLES = ("triplets", "metrics", "events", "elements")


@dataclass(frozen=True)
class Hole:
    """Parts that are not there, or steps between two parts.

    Attributes
    ----------
    path
        The part behind them, or the table, if it ends with them.
    what
        What is not there, in words.
    table, first, last
        Steps of a table of which rows are missing.
    """

    path: Path
    what: str
    table: str
    first: int
    last: int


def ends_of(run: Path) -> dict[str, tuple[int, int]]:
    """Place and last step of the last part of each table, for the manifest of a run that ends."""
    parts = {table: list_parts(run / table) for table in TABLES}
    return {name: (found[-1].until, found[-1].last) for name, found in parts.items() if found}


def whole_parts(run: Path, manifest: Manifest, table: str) -> list[Part]:
    """Parts of a table, none of them missing that is not known to be, and none too much.

    Raises
    ------
    LogError
        Naming the file and the remedy.
    """
    parts = list_parts(run / table)
    for part, what in doubled_parts(table, parts):
        raise LogError(
            f"{part.path} {what}; delete the part that is too much, vilora check says more"
        )
    for hole in unexplained_holes(run, manifest, table, parts):
        raise LogError(
            f"{hole.path}: {hole.what}; put back what is missing, or vilora check --repair notes "
            "what is lost, and the rest can be read"
        )
    return parts


def doubled_parts(table: str, parts: Sequence[Part]) -> Iterator[tuple[Part, str]]:
    """Parts with steps or a place of the part before, and what is wrong with them.

    Metrics may go on with the step that the part before ended in: a step is evaluated later on.
    """
    for before, part in pairwise(parts):
        if part.sequence <= before.until:
            yield part, f"has the place of {before.path.name}"
        else:
            yield from repeated_parts(table, [before, part])


def repeated_parts(table: str, parts: Sequence[Part]) -> Iterator[tuple[Part, str]]:
    """Parts with a place of their own and steps of the part before."""
    for before, part in pairwise(parts):
        again = part.first < before.last + (table != "metrics")
        if again and part.sequence > before.until:
            yield part, f"repeats steps of {before.path.name}"


def unexplained_holes(
    run: Path, manifest: Manifest, table: str, parts: Sequence[Part]
) -> Iterator[Hole]:
    """Holes that no gap of the manifest explains.

    Parameters
    ----------
    run
        The run directory.
    manifest
        Its manifest.
    table
        Name of the table.
    parts
        Its parts, in order.
    """
    every = interval(manifest, table)
    for hole in _holes(run, manifest, table, parts, every):
        lost = hole.first <= hole.last
        if lost and not explains(manifest.gaps, table, hole.first, hole.last, every):
            yield hole


def interval(manifest: Manifest, table: str) -> int:
    """Steps between two that are due in a table; 1 where that is not regular."""
    elements = manifest.recorder.get("elements_every")
    if table == "elements" and isinstance(elements, int) and elements > 0:
        return elements
    return manifest.every if table == "triplets" else 1


def _holes(
    run: Path, manifest: Manifest, table: str, parts: Sequence[Part], every: int
) -> Iterator[Hole]:
    touching = table == "metrics"
    due, reached = 0, 0
    for part in parts:
        if part.sequence > due:
            what = f"part {part.sequence} follows, but part {due} is not there"
            if touching:
                yield Hole(part.path, what, table, max(reached, 1), part.first)
            else:
                yield Hole(part.path, what, table, reached + every, part.first - every)
        elif table == "triplets" and 0 < reached < part.first - every:
            what = f"no steps between {reached} and {part.first}; one in {every} is due"
            yield Hole(part.path, what, table, reached + every, part.first - every)
        due, reached = max(due, part.until + 1), max(reached, part.last)
    until, last = manifest.ends.get(table, (-1, 0))
    if until >= due and manifest.status != "running":
        there = f"ends with part {due - 1}" if due else "is empty"
        what = f"{there}, but part {until} was the last"
        yield Hole(run / table, what, table, max(reached, 1) if touching else reached + every, last)
