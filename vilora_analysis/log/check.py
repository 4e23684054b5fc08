"""Is a log what it should be? Every part valid, steps whole and in order, schema known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.parts import Part, list_parts
from vilora_analysis.log.reader import read_part
from vilora_analysis.log.schema import EVENTS, KEYS, METRICS

__all__ = ["Problem", "check_run"]


@dataclass(frozen=True)
class Problem:
    """Something wrong, and in which file."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def check_run(path: str | Path) -> list[Problem]:
    """Read a whole log and list what is wrong with it; an empty list means nothing is.

    Every byte of every part is read and its checksums verified. For the triplets: each step whole,
    its rows in the order of the manifest, steps ascending without repeats and, between the first
    and the last, without gaps; every number finite.

    Parameters
    ----------
    path
        The run directory.
    """
    path = Path(path)
    try:
        manifest = Manifest.load(path)
    except LogError as error:
        return [Problem(path, str(error))]
    problems = [*_small_tables(path), *_triplets(path / "triplets", manifest)]
    problems.extend(
        Problem(file, "left over from a write that did not finish; it can be deleted")
        for file in sorted(path.glob("*/.*.tmp"))
    )
    return problems


def _small_tables(path: Path) -> Iterator[Problem]:
    for name, schema in (("metrics", METRICS), ("events", EVENTS), ("elements", None)):
        for part in list_parts(path / name):
            table, problem = _read(part)
            if problem:
                yield problem
            elif table is not None and schema is not None and table.schema != schema:
                yield Problem(part.path, f"columns are {table.schema.names}, not {schema.names}")


def _read(part: Part) -> tuple[pa.Table | None, Problem | None]:
    try:
        return read_part(part), None
    except LogError as error:
        return None, Problem(part.path, str(error).removeprefix(f"{part.path} "))


def _triplets(directory: Path, manifest: Manifest) -> Iterator[Problem]:
    expected = _expected_keys(manifest)
    previous: int | None = None
    schema: pa.Schema | None = None
    for part in list_parts(directory):
        table, problem = _read(part)
        if table is None:
            previous = None  # what is missing was said; do not call it a gap as well
            if problem:
                yield problem
            continue
        schema = schema or table.schema
        if table.schema != schema:
            yield Problem(part.path, "columns differ from the first part's")
            continue
        wrong = _wrong_rows(part, table, manifest, expected)
        if wrong:
            yield Problem(part.path, wrong)
            continue
        steps = table["step"].to_numpy()[:: manifest.n_triplets]
        yield from _wrong_steps(part, steps, previous, manifest.every)
        previous = int(steps[-1])


def _expected_keys(manifest: Manifest) -> tuple[list[str], np.ndarray]:
    modules = [module.name for module in manifest.modules for _ in range(module.rank)]
    return modules, np.concatenate([np.arange(module.rank) for module in manifest.modules])


def _wrong_rows(
    part: Part, table: pa.Table, manifest: Manifest, expected: tuple[list[str], np.ndarray]
) -> str | None:
    n = manifest.n_triplets
    missing = [name for name in KEYS if name not in table.schema.names]
    if missing:
        return f"lacks the columns {', '.join(missing)}"
    steps = table["step"].to_numpy()
    if table.num_rows % n or not table.num_rows:
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
    part: Part, steps: np.ndarray, previous: int | None, every: int
) -> Iterator[Problem]:
    if previous is not None:
        steps = np.concatenate([[previous], steps])
    for before, after in itertools.pairwise(steps.tolist()):
        if after <= before:
            yield Problem(part.path, f"step {after} comes after step {before}")
        elif after - before != every:
            yield Problem(
                part.path, f"no steps between {before} and {after}; one in {every} is due"
            )
