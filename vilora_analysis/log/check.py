"""Is a log what it should be? Every part valid, steps whole and in order, schema known."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.completeness import missing_tables
from vilora_analysis.log.manifest import FILE, Manifest
from vilora_analysis.log.parts import Part, list_parts, superseded_parts
from vilora_analysis.log.reading import PartGoneError, open_part, read_groups, until_settled
from vilora_analysis.log.schema import EVENTS, METRICS, triplets_schema

__all__ = ["Problem", "check_run"]

_SMALL = {"metrics": METRICS, "events": EVENTS, "elements": None}


@dataclass(frozen=True)
class Problem:
    """Something wrong, and in which file."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def check_run(path: str | Path) -> list[Problem]:
    """Read a whole log and list what is wrong with it; an empty list means nothing is.

    Every part is read with its checksums verified, and none may be missing before another. For the
    triplets: the scores of the manifest, each step whole, its rows in the order of the manifest,
    steps ascending without repeats and, between the first and the last, without gaps; every number
    finite. Tables that the run must have written, and that are gone or end early, count too; what
    is no fault, such as a run that is not finished, is for :func:`remarks`.

    Parameters
    ----------
    path
        The run directory.
    """
    return until_settled(lambda: _problems(Path(path)))


def _problems(path: Path) -> list[Problem]:
    try:
        manifest = Manifest.load(path)
    except LogError as error:
        return [Problem(path / FILE, str(error).removeprefix(f"{path / FILE} "))]
    return [
        *(problem for name in ("triplets", *_SMALL) for problem in _missing_parts(path / name)),
        *(Problem(table, what) for table, what in missing_tables(path, manifest)),
        *_small_tables(path),
        *_triplets(path / "triplets", manifest),
        *_leftovers(path),
    ]


def _leftovers(path: Path) -> Iterator[Problem]:
    for file in sorted([*path.glob(".*.tmp"), *path.glob("*/.*.tmp")]):
        yield Problem(file, "left over from a write that did not finish; it can be deleted")
    for table in ("triplets", *_SMALL):
        for part in superseded_parts(path / table):
            yield Problem(part.path, "is in a larger part too; vilora compact deletes it")


def _missing_parts(directory: Path) -> Iterator[Problem]:
    due = 0
    for part in list_parts(directory):
        if part.sequence > due:
            yield Problem(part.path, f"part {part.sequence} follows, but part {due} is not there")
        elif part.sequence < due:
            yield Problem(part.path, f"there is another part {part.sequence}")
        due = part.until + 1


def _small_tables(path: Path) -> Iterator[Problem]:
    for name, schema in _SMALL.items():
        for part in list_parts(path / name):
            wrong = _wrong_part(part, schema, lambda group: None)
            if wrong:
                yield Problem(part.path, wrong)


def _wrong_part(
    part: Part, due: pa.Schema | None, wrong: Callable[[pa.Table], str | None]
) -> str | None:
    """What is wrong with a part: its columns, its row groups one by one, its pages."""
    try:
        if due is not None and (said := _wrong_columns(open_part(part).schema_arrow, due)):
            return said
        return next(filter(None, map(wrong, read_groups(part))), None)
    except PartGoneError:
        raise
    except LogError as error:
        return str(error).removeprefix(f"{part.path} ")


def _wrong_columns(there: pa.Schema, due: pa.Schema) -> str | None:
    missing = [name for name in due.names if there.names.count(name) != 1]
    if missing:
        return f"lacks or repeats the columns {', '.join(missing)}"
    mistyped = [f for f in due if there.field(f.name).type != f.type]
    said = (f"{f.name} is {there.field(f.name).type}, not {f.type}" for f in mistyped)
    return f"columns of another type: {'; '.join(said)}" if mistyped else None


_DISAGREES = {
    "module": "modules do not stand in the order of the manifest",
    "matrix": "matrices are not those of the manifest",
    "layer": "layers are not those of the manifest",
    "k": "triplets do not stand in the order of the manifest",
}


def _triplets(directory: Path, manifest: Manifest) -> Iterator[Problem]:
    keys = _expected_keys(manifest)
    due = triplets_schema((), manifest.scores, ())  # inputs and factors differ from run to run
    previous: Part | None = None
    schema: pa.Schema | None = None
    for part in list_parts(directory):
        found: list[np.ndarray] = []
        wrong = _wrong_part(part, due, partial(_wrong_rows, manifest, keys, found))
        wrong = wrong or _wrong_name(part, found, manifest.n_triplets)
        if wrong:
            yield Problem(part.path, wrong)
            continue
        schema = schema or open_part(part).schema_arrow
        if open_part(part).schema_arrow != schema:
            yield Problem(part.path, "columns differ from the first part's")
        yield from _wrong_steps(part, np.concatenate(found), previous, manifest.every)
        previous = part


def _expected_keys(manifest: Manifest) -> dict[str, list[Any]]:
    """What stands in the columns of each step, by the manifest."""
    rows = [(m.name, m.matrix, m.layer, k) for m in manifest.modules for k in range(m.rank)]
    return {name: [row[at] for row in rows] for at, name in enumerate(_DISAGREES)}


def _wrong_rows(
    manifest: Manifest,
    expected: Mapping[str, list[Any]],
    found: list[np.ndarray],
    table: pa.Table,
) -> str | None:
    """What is wrong with some rows; their steps are added to those found."""
    n = manifest.n_triplets
    steps = table["step"].to_numpy()
    if not n or table.num_rows % n or not table.num_rows:
        return f"{table.num_rows} rows are not whole steps of {n} triplets"
    if (steps.reshape(-1, n) != steps[::n, None]).any():
        return "rows of different steps are mixed"
    for name, values in expected.items():
        if table[name].to_pylist() != values * (table.num_rows // n):
            return _DISAGREES[name]
    found.append(steps[::n])
    bad = [f.name for f in table.schema if pa.types.is_floating(f.type) and not _finite(table, f)]
    return f"not finite: {', '.join(bad)}" if bad else None


def _wrong_name(part: Part, found: list[np.ndarray], n: int) -> str | None:
    if not found:
        return f"0 rows are not whole steps of {n} triplets"
    first, last = found[0][0], found[-1][-1]
    if (first, last) == (part.first, part.last):
        return None
    return f"holds steps {first} to {last}, not those of its name"


def _finite(table: pa.Table, field: pa.Field) -> bool:
    return bool(np.isfinite(table[field.name].to_numpy()).all())


def _wrong_steps(
    part: Part, steps: np.ndarray, previous: Part | None, every: int
) -> Iterator[Problem]:
    # where a part is missing or damaged, that was said; it is no gap as well
    if previous and (part.sequence == previous.sequence + 1 or part.first <= previous.last):
        steps = np.concatenate([[previous.last], steps])
    for before, after in itertools.pairwise(steps.tolist()):
        if after <= before:
            yield Problem(part.path, f"step {after} comes after step {before}")
        elif after - before != every:
            yield Problem(
                part.path, f"no steps between {before} and {after}; one in {every} is due"
            )
