"""Runs written from plain arrays, without a model or an optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.log import LogWriter, Manifest, ModuleRow, ScoreRow, check_run
from vilora_analysis.log.schema import RECORDED_INPUTS, triplets_schema

# Not the order of the paper's figure, and ranks that differ, so that neither can be assumed.
_PATHS = {
    "W_o": "attention.output.dense",
    "W_q": "attention.self.query",
    "W_f2": "output.dense",
    "W_v": "attention.self.value",
    "W_f1": "intermediate.dense",
    "W_k": "attention.self.key",
}
POOLER = ModuleRow("bert.pooler.dense", "pooler.dense", None, 2)
IVON_SCORES = ("snr", "mean_abs", "sensitivity", "sensitivity_smoothed")


def modules(
    layers: int = 2, matrices: Sequence[str] = ("W_o", "W_q", "W_f2"), *, rank: int = 3
) -> tuple[ModuleRow, ...]:
    """Adapted modules layer by layer, then a pooler outside the layers."""
    inner = tuple(
        ModuleRow(f"bert.encoder.layer.{layer}.{_PATHS[matrix]}", matrix, layer, rank)
        for layer in range(layers)
        for matrix in matrices
    )
    return (*inner, POOLER)


def manifest(
    rows: tuple[ModuleRow, ...] | None = None,
    scores: Sequence[str] = ("snr", "mean_abs"),
    **changes: Any,
) -> Manifest:
    known: dict[str, Any] = {
        "run_id": "0" * 32,
        "created": "2026-01-02T03:04:05+00:00",
        "modules": modules() if rows is None else rows,
        "scores": tuple(
            ScoreRow(name, f"label of {name}", f"f({name})", f"source of {name}", ("mu",))
            for name in scores
        ),
        "criterion": "snr",
        "every": 1,
        "optimizer": {"name": "IVON", "groups": [{"lr": 0.1}]},
        "recorder": {"beta1": 0.85},
        "config": {"seed": 7},
        "versions": {"python": "3.11"},
    }
    return Manifest(**{**known, **changes})


def schema_of(
    known: Manifest, inputs: Sequence[str] = (), factors: Sequence[str] = ("E", "A", "B")
) -> pa.Schema:
    return triplets_schema(inputs, known.scores, factors)


def float_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_floating(field.type)]


@dataclass(frozen=True)
class Written:
    """What went into a run, to be held against what comes out.

    ``values`` has for each float column an array of shape (steps, triplets), as has ``kept``.
    """

    path: Path
    manifest: Manifest
    schema: pa.Schema
    steps: tuple[int, ...]
    values: Mapping[str, np.ndarray]
    kept: np.ndarray


def write_run(
    path: Path,
    *,
    steps: Iterable[int] = range(1, 6),
    inputs: Sequence[str] = (),
    factors: Sequence[str] = ("E", "A", "B"),
    columns: Mapping[str, Any] | None = None,
    kept: Any = None,
    events: Sequence[Mapping[str, Any]] = (),
    metrics: Sequence[tuple[int, Mapping[str, float]]] | None = None,
    flush_after: Sequence[int] = (),
    seed: int = 0,
    results: Mapping[str, Any] | None = None,
    **described: Any,
) -> Written:
    """Write a whole run.

    Parameters
    ----------
    columns
        Values of float columns, broadcast to (steps, triplets); the others are random, positive.
    kept
        Broadcast to (steps, triplets); random if None.
    metrics
        By step; the learning rate if None, which a recorder writes at every step.
    flush_after
        Steps after which a part ends; the rest goes into the last one.
    described
        Arguments of :func:`manifest`.
    """
    steps = tuple(steps)
    known = manifest(**described)
    schema = schema_of(known, inputs, factors)
    shape = (len(steps), known.n_triplets)
    generator = np.random.default_rng(seed)
    given = dict(columns or {})
    values = {
        name: np.broadcast_to(
            np.asarray(given.pop(name, np.exp(generator.normal(size=shape)))), shape
        ).astype(np.float32)
        for name in float_columns(schema)
    }
    assert not given, f"no such columns: {sorted(given)}"
    marks = np.broadcast_to(generator.random(shape) < 0.6 if kept is None else kept, shape)
    writer = LogWriter(path, known, triplets=schema)
    for at, step in enumerate(steps):
        if metrics is None:
            writer.metrics(step, {"lr": 0.1})
        writer.triplets(step, np.stack([array[at] for array in values.values()]), marks[at])
        if step in flush_after:
            writer.flush()
    for step, taken in metrics or ():
        writer.metrics(step, taken)
    for event in events:
        writer.event(**event)
    writer.close("finished", results)
    return Written(path, writer.manifest, schema, steps, values, marks)


def write_posterior_run(path: Path, **changes: Any) -> Written:
    """Write a run of an optimizer with a posterior: all inputs, and the scores of the theory."""
    return write_run(path, **{"inputs": RECORDED_INPUTS, "scores": IVON_SCORES, **changes})


def decision(step: int, **changes: Any) -> dict[str, Any]:
    """One row of the events."""
    row = {"budget": 10, "threshold": 0.5, "n_kept": 10, "pruned": ["a[0]"], "revived": []}
    return {"step": step, **row, **changes}


def numbered_step(known: Manifest, step: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Arguments for appending a step whose every float is its number."""
    shape = (len(float_columns(schema_of(known))), known.n_triplets)
    return step, np.full(shape, step, dtype=np.float32), np.ones(shape[1], dtype=bool)


def damage_column(path: Path, column: str) -> None:
    """Flip a bit in the data of one column of a Parquet file."""
    chunk = next(
        group.column(i)
        for group in [pq.ParquetFile(path).metadata.row_group(0)]
        for i in range(group.num_columns)
        if group.column(i).path_in_schema == column
    )
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    flip_bit(path, start + chunk.total_compressed_size - 1)


def flip_bit(path: Path, at: int, bit: int = 0) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1 << bit
    path.write_bytes(raw)


def unseal(path: Path) -> Path:
    """Write a part anew without what tells where it belongs, as parts were before."""
    pq.write_table(pq.ParquetFile(path).read().replace_schema_metadata(), path)
    return path


def parts_of(path: Path, table: str = "triplets") -> list[Path]:
    """Part files in the order of their names."""
    return sorted((path / table).glob("part-*.parquet"))


def sound_run(path: Path) -> Path:
    """Write a run of three parts of two steps, with metrics and an event."""
    return write_run(
        path,
        steps=range(3, 21, 3),
        every=3,
        flush_after=(6, 12),
        metrics=[(step, {"loss": 1.0, "lr": 0.1}) for step in range(1, 19)],
        events=[decision(3)],
    ).path


def only_problem(run: Path, file: Path) -> str:
    """What is wrong, if it is wrong with that file and no other."""
    problems = check_run(run)
    assert [problem.path for problem in problems] == [file], problems
    assert str(problems[0]) == f"{file}: {problems[0].what}"
    return problems[0].what
