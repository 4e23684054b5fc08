"""Is a log what it should be? Every part valid, steps whole and in order, schema known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vilora_analysis.errors import LogError
from vilora_analysis.log.completeness import missing_tables
from vilora_analysis.log.examine import Examined, examine, owner
from vilora_analysis.log.gaps import explains
from vilora_analysis.log.holes import TABLES, repeated_parts, unexplained_holes
from vilora_analysis.log.manifest import FILE, Manifest
from vilora_analysis.log.origin import damaged_origins
from vilora_analysis.log.parts import Part, list_parts, superseded_parts
from vilora_analysis.log.places import as_place
from vilora_analysis.log.reading import until_settled

__all__ = ["Problem", "check_run", "leftovers", "wrong_order"]


@dataclass(frozen=True)
class Problem:
    """Something wrong, in which file, and of which table and steps rows cannot be read."""

    path: Path
    what: str
    table: str = ""
    first: int = 0
    last: int = 0

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"

    @property
    def affected(self) -> str:
        """Table and steps, in words; empty if no rows are affected."""
        if not self.table:
            return ""
        span = (
            f"step {self.first}"
            if self.first == self.last
            else f"steps {self.first} to {self.last}"
        )
        return f"{self.table}, {span}" if self.last else self.table


def check_run(path: str | Path) -> list[Problem]:
    """Read a whole log and list what is wrong with it; an empty list means nothing is.

    Every part is read with its checksums verified, and none may be missing before another or, of a
    run that has ended, after the last. It must be a part of this run and have the name that it was
    written under. For the triplets: the scores of the manifest, each step whole, its rows in the
    order of the manifest, steps ascending without repeats and, between the first and the last,
    without gaps; every number finite. Tables that the run must have written, and that are gone or
    end early, count too. What the manifest knows to be missing is no fault, nor is a run that is
    not finished: those are for :func:`remarks`.

    Parameters
    ----------
    path
        The run directory.
    """
    return until_settled(lambda: _problems(as_place(path)))


def _problems(path: Path, again: bool = True) -> list[Problem]:
    try:
        manifest = Manifest.load(path)
    except LogError as error:
        return [Problem(path / FILE, str(error).removeprefix(f"{path / FILE} "))]
    found = _found(path, manifest)
    # a run that is being written may have said meanwhile what it lost
    if found and again and _is_another(path, manifest):
        return _problems(path, again=False)
    return found


def _is_another(path: Path, manifest: Manifest) -> bool:
    try:
        return Manifest.load(path) != manifest
    except LogError:
        return True


def _found(path: Path, manifest: Manifest) -> list[Problem]:
    of = owner(path, TABLES)
    if of and of != manifest.run_id:
        what = f"is of the run {manifest.run_id}, and all parts are of the run {of}"
        return [Problem(path / FILE, what)]
    return [
        *_missing(path, manifest),
        *(problem for table in TABLES for problem in _table(path, manifest, table)),
        *leftovers(path),
    ]


def _missing(path: Path, manifest: Manifest) -> Iterator[Problem]:
    said = set()
    for folder, what, first, last in missing_tables(path, manifest):
        said.add(folder)
        yield Problem(folder, what, folder.name, first, last)
    for table in TABLES:
        parts = list_parts(path / table)
        for hole in unexplained_holes(path, manifest, table, parts):
            if hole.path in said:
                continue
            yield Problem(hole.path, hole.what, table, hole.first, hole.last)
        for before, part in itertools.pairwise(parts):
            if part.sequence <= before.until:
                yield Problem(part.path, f"there is another part {part.sequence}", table)


def _table(path: Path, manifest: Manifest, table: str) -> Iterator[Problem]:
    found = examine(path, manifest, table)
    for one in found:
        if one.wrong:
            yield Problem(one.part.path, one.wrong, table, one.part.first, one.part.last)
    yield from wrong_order(manifest, table, [one for one in found if not one.wrong])


def wrong_order(manifest: Manifest, table: str, found: Sequence[Examined]) -> Iterator[Problem]:
    """Steps of sound parts that are there twice, or not at all between two of them."""
    if table == "triplets":
        previous: Part | None = None
        for one in found:
            yield from _wrong_steps(manifest, one.part, one.steps, previous)
            previous = one.part
        return
    for part, what in repeated_parts(table, [one.part for one in found]):
        yield Problem(part.path, what, table, part.first, part.last)


def _wrong_steps(
    manifest: Manifest, part: Part, steps: np.ndarray, previous: Part | None
) -> Iterator[Problem]:
    if previous and part.first <= previous.last:  # steps between two parts are holes
        steps = np.concatenate([[previous.last], steps])
    every = manifest.every
    for before, after in itertools.pairwise(steps.tolist()):
        first, last = before + every, after - every
        if after <= before:
            what = f"step {after} comes after step {before}"
            yield Problem(part.path, what, "triplets", part.first, part.last)
        elif after - before != every and not explains(
            manifest.gaps, "triplets", first, last, every
        ):
            what = f"no steps between {before} and {after}; one in {every} is due"
            yield Problem(part.path, what, "triplets", min(first, last), max(first, last))


def leftovers(path: Path) -> Iterator[Problem]:
    """Files that no reader of rows looks at: left over from what did not finish, or damaged."""
    for file in sorted([*path.glob(".*.tmp"), *path.glob("*/.*.tmp")]):
        yield Problem(file, "left over from a write that did not finish; it can be deleted")
    for table in TABLES:
        for part in superseded_parts(path / table):
            yield Problem(part.path, "is in a larger part too; vilora compact deletes it")
    for file, what in damaged_origins(path):
        yield Problem(file, what)
