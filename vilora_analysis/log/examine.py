"""What is wrong with single parts: their bytes, where they belong, their columns and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.checksums import origin_of
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.parts import Part, list_parts
from vilora_analysis.log.reading import PartGoneError, open_part, read_groups
from vilora_analysis.log.schema import EVENTS, METRICS, triplets_schema

__all__ = ["Examined", "examine", "owner"]

_KINDS = {"metrics": METRICS, "events": EVENTS}


@dataclass(frozen=True)
class Examined:
    """One part; ``wrong`` is empty if it is sound, ``steps`` what its rows are of."""

    part: Part
    wrong: str
    steps: np.ndarray


def owner(run: Path, tables: Sequence[str]) -> str:
    """Id of the run that all parts say they are of; empty if they do not say, or do not agree."""
    said = set()
    for part in (part for table in tables for part in list_parts(run / table)):
        try:
            said.add(origin_of(open_part(part).metadata.metadata)[0])
        except PartGoneError:
            raise
        except LogError:
            continue
    return said.pop() if len(said) == 1 else ""


def examine(run: Path, manifest: Manifest, table: str) -> list[Examined]:
    """Read all parts of a table, each by itself.

    Parameters
    ----------
    run
        The run directory.
    manifest
        Its manifest.
    table
        Name of the table.
    """
    keys = _expected_keys(manifest) if table == "triplets" else {}
    found = [_examined(part, manifest, table, keys) for part in list_parts(run / table)]
    return [*_of_one_schema(found)]


def _examined(
    part: Part, manifest: Manifest, table: str, keys: Mapping[str, list[Any]]
) -> Examined:
    steps: list[np.ndarray] = []
    if table == "triplets":
        # inputs and factors differ from run to run
        due: pa.Schema | None = triplets_schema((), manifest.scores, ())
        look = partial(_wrong_rows, manifest, keys, steps)
    else:
        due, look = _KINDS.get(table), partial(_wrong_steps, steps)
    wrong = _wrong_part(part, due, look, manifest.run_id) or _wrong_name(part, steps, manifest)
    return Examined(part, wrong or "", np.concatenate([np.empty(0, dtype=np.int64), *steps]))


def _of_one_schema(found: Sequence[Examined]) -> Iterator[Examined]:
    """Blame the parts of fewer: a table has one schema, and readers put its parts together.

    A part that was put together from others has the votes of them all.
    """
    schemas = [None if one.wrong else open_part(one.part).schema_arrow for one in found]
    votes = Counter[str]()
    for one, schema in zip(found, schemas, strict=True):
        if schema is not None:
            votes[str(schema.remove_metadata())] += one.part.until - one.part.sequence + 1
    if not votes:
        yield from found
        return
    most = votes.most_common(1)[0][0]
    first = next(schema for schema in schemas if schema is not None)
    of = "the first part's" if str(first.remove_metadata()) == most else "those of most parts"
    for one, schema in zip(found, schemas, strict=True):
        differs = schema is not None and str(schema.remove_metadata()) != most
        yield Examined(one.part, f"columns differ from {of}", one.steps) if differs else one


def _wrong_part(
    part: Part, due: pa.Schema | None, wrong: Callable[[pa.Table], str | None], run_id: str
) -> str | None:
    """What is wrong with a part: its columns, its row groups one by one, its pages."""
    try:
        if due is not None and (said := _wrong_columns(open_part(part).schema_arrow, due)):
            return said
        return next(filter(None, map(wrong, read_groups(part, run_id=run_id))), None)
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
    """What is wrong with some rows of triplets; their steps are added to those found."""
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


def _finite(table: pa.Table, field: pa.Field) -> bool:
    return bool(np.isfinite(table[field.name].to_numpy()).all())


def _wrong_steps(found: list[np.ndarray], table: pa.Table) -> str | None:
    """What is wrong with the steps of some rows of another table."""
    if "step" not in table.column_names:
        return "lacks or repeats the columns step"
    found.append(table["step"].to_numpy())
    return None


def _wrong_name(part: Part, found: list[np.ndarray], manifest: Manifest) -> str | None:
    if not found:
        of = f" are not whole steps of {manifest.n_triplets} triplets"
        return f"0 rows{of if part.path.parent.name == 'triplets' else ''}"
    first, last = found[0][:1].tolist(), found[-1][-1:].tolist()
    if (first, last) == ([part.first], [part.last]):
        return None
    return f"holds steps {first[0]} to {last[0]}, not those of its name" if first else "0 rows"
