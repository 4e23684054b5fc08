"""Is a log what it should be? Every part valid, steps whole and in order, schema known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.completeness import missing_tables
from vilora_analysis.log.manifest import FILE, Manifest
from vilora_analysis.log.parts import Part, list_parts
from vilora_analysis.log.reader import read_part
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
    path = Path(path)
    try:
        manifest = Manifest.load(path)
    except LogError as error:
        return [Problem(path / FILE, str(error).removeprefix(f"{path / FILE} "))]
    return [
        *(problem for name in ("triplets", *_SMALL) for problem in _missing_parts(path / name)),
        *(Problem(table, what) for table, what in missing_tables(path, manifest)),
        *_small_tables(path),
        *_triplets(path / "triplets", manifest),
        *(
            Problem(file, "left over from a write that did not finish; it can be deleted")
            for file in sorted([*path.glob(".*.tmp"), *path.glob("*/.*.tmp")])
        ),
    ]


def _missing_parts(directory: Path) -> Iterator[Problem]:
    due = 0
    for part in list_parts(directory):
        if part.sequence > due:
            yield Problem(part.path, f"part {part.sequence} follows, but part {due} is not there")
        elif part.sequence < due:
            yield Problem(part.path, f"there is another part {part.sequence}")
        due = part.sequence + 1


def _small_tables(path: Path) -> Iterator[Problem]:
    for name, schema in _SMALL.items():
        for part in list_parts(path / name):
            table, wrong = _read(part)
            if table is not None and schema is not None:
                wrong = _wrong_columns(table.schema, schema)
            if wrong:
                yield Problem(part.path, wrong)


def _read(part: Part) -> tuple[pa.Table | None, str | None]:
    try:
        return read_part(part), None
    except LogError as error:
        return None, str(error).removeprefix(f"{part.path} ")


def _wrong_columns(there: pa.Schema, due: pa.Schema) -> str | None:
    missing = [name for name in due.names if there.names.count(name) != 1]
    if missing:
        return f"lacks or repeats the columns {', '.join(missing)}"
    mistyped = [f for f in due if there.field(f.name).type != f.type]
    said = (f"{f.name} is {there.field(f.name).type}, not {f.type}" for f in mistyped)
    return f"columns of another type: {'; '.join(said)}" if mistyped else None


def _triplets(directory: Path, manifest: Manifest) -> Iterator[Problem]:
    keys = _expected_keys(manifest)
    due = triplets_schema((), manifest.scores, ())  # inputs and factors differ from run to run
    previous: Part | None = None
    schema: pa.Schema | None = None
    for part in list_parts(directory):
        table, wrong = _read(part)
        if table is not None:
            wrong = _wrong_columns(table.schema, due) or _wrong_rows(part, table, manifest, keys)
        if table is None or wrong:
            yield Problem(part.path, wrong or "cannot be read")
            continue
        schema = schema or table.schema
        if table.schema != schema:
            yield Problem(part.path, "columns differ from the first part's")
        steps = table["step"].to_numpy()[:: manifest.n_triplets]
        yield from _wrong_steps(part, steps, previous, manifest.every)
        previous = part


def _expected_keys(manifest: Manifest) -> tuple[list[str], np.ndarray]:
    modules = [module.name for module in manifest.modules for _ in range(module.rank)]
    return modules, np.array([k for module in manifest.modules for k in range(module.rank)])


def _wrong_rows(
    part: Part, table: pa.Table, manifest: Manifest, expected: tuple[list[str], np.ndarray]
) -> str | None:
    n = manifest.n_triplets
    steps = table["step"].to_numpy()
    if not n or table.num_rows % n or not table.num_rows:
        return f"{table.num_rows} rows are not whole steps of {n} triplets"
    if (steps.reshape(-1, n) != steps[::n, None]).any():
        return "rows of different steps are mixed"
    modules, ks = expected
    repeats = table.num_rows // n
    if table["module"].to_pylist() != modules * repeats:
        return "modules do not stand in the order of the manifest"
    if (table["k"].to_numpy() != np.tile(ks, repeats)).any():
        return "triplets do not stand in the order of the manifest"
    if (steps[0], steps[-1]) != (part.first, part.last):
        return f"holds steps {steps[0]} to {steps[-1]}, not those of its name"
    bad = [f.name for f in table.schema if pa.types.is_floating(f.type) and not _finite(table, f)]
    return f"not finite: {', '.join(bad)}" if bad else None


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
