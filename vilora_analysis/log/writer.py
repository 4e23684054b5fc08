"""Writing a run: four tables, a manifest, one writer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.lock import WriterLock
from vilora_analysis.log.manifest import FILE, Manifest, ModuleRow, Status
from vilora_analysis.log.parts import list_parts, write_part
from vilora_analysis.log.resume import continue_run
from vilora_analysis.log.schema import EVENTS, METRICS

__all__ = ["LogWriter"]

_ROWS_PER_PART = 50_000


class _Sequence:
    """The part files of one table, numbered on from what is there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._next = max((part.until for part in list_parts(directory)), default=-1) + 1

    def write(self, table: pa.Table) -> None:
        write_part(self._directory, self._next, table)
        self._next += 1


class _Rows:
    """A table of few columns, appended row by row."""

    def __init__(self, directory: Path, schema: pa.Schema) -> None:
        self._parts = _Sequence(directory)
        self._schema = schema
        self._rows: list[Mapping[str, Any]] = []

    def append(self, row: Mapping[str, Any]) -> None:
        self._rows.append(row)

    def flush(self) -> None:
        if self._rows:
            self._parts.write(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []


class _Steps:
    """The triplets: for each step the same rows with new numbers, kept as one dense array."""

    def __init__(self, directory: Path, schema: pa.Schema, manifest: Manifest) -> None:
        self._parts = _Sequence(directory)
        self._schema = schema
        self._keys = _key_columns(manifest.modules)
        n_rows = len(self._keys["k"])
        self._floats = [f.name for f in schema if pa.types.is_floating(f.type)]
        capacity = max(1, _ROWS_PER_PART // n_rows)
        # column by column, so that each becomes one Arrow array without a copy
        self._values = np.empty((len(self._floats), capacity, n_rows), dtype=np.float32)
        self._kept = np.empty((capacity, n_rows), dtype=bool)
        self._every = manifest.every
        self._steps: list[int] = []

    def append(self, step: int, values: np.ndarray, kept: np.ndarray) -> None:
        full = len(self._steps) == self._values.shape[1]  # writing failed when it became so
        if full or (self._steps and step != self._steps[-1] + self._every):
            self.flush()  # a part has no gaps: its name says which steps it holds
        at = len(self._steps)
        self._values[:, at] = values
        self._kept[at] = kept
        self._steps.append(step)
        if at + 1 == self._values.shape[1]:
            self.flush()

    def flush(self) -> None:
        n = len(self._steps)
        if not n:
            return
        n_rows = self._kept.shape[1]
        columns: dict[str, Any] = {
            "step": np.repeat(np.asarray(self._steps, dtype=np.int64), n_rows),
            "kept": self._kept[:n].reshape(-1),
            **{name: pa.concat_arrays([array] * n) for name, array in self._keys.items()},
            **{name: self._values[i, :n].reshape(-1) for i, name in enumerate(self._floats)},
        }
        ordered = [columns[name] for name in self._schema.names]
        self._parts.write(pa.table(ordered, schema=self._schema))
        self._steps = []


def _key_columns(modules: Sequence[ModuleRow]) -> dict[str, pa.Array]:
    rows = [(module, k) for module in modules for k in range(module.rank)]

    def text(values: list[str]) -> pa.Array:
        return pa.array(values).dictionary_encode()

    return {
        "module": text([module.name for module, _ in rows]),
        "layer": pa.array([module.layer for module, _ in rows], pa.int16()),
        "matrix": text([module.matrix for module, _ in rows]),
        "k": pa.array([k for _, k in rows], pa.int32()),
    }


class LogWriter:
    """The one writer of a run directory.

    Parameters
    ----------
    directory
        Where the run is to be; created, and refused if it holds a run already.
    manifest
        What is known at the start.
    triplets
        Schema of the triplets table; None if the run has metrics only.
    elements
        Schema of the elements table; None to record none.
    flush_seconds
        Parts are written when full, and at the latest after this many seconds: what a killed
        process loses.
    resume_step
        Go on with the run that is there after this step, and drop what it wrote later; by default
        a directory that holds a run is refused.

    Raises
    ------
    LogError
        If the directory holds a run (or, on resuming, none, or one of other modules or scores), is
        being written by another process, or cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        *,
        triplets: pa.Schema | None,
        elements: pa.Schema | None = None,
        flush_seconds: float = 60.0,
        resume_step: int | None = None,
    ) -> None:
        self.directory = directory
        self.manifest = manifest
        self.flush_seconds = flush_seconds
        self._resume_step = resume_step
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = WriterLock(directory)
            self._lock.acquire()
            try:
                self._open(triplets, elements)
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise LogError(f"cannot write a run to {directory}: {error}") from None
        self._flushed = time.monotonic()

    def _open(self, triplets: pa.Schema | None, elements: pa.Schema | None) -> None:
        if self._resume_step is None:
            self._refuse_existing()
        else:
            self.manifest = continue_run(self.directory, self.manifest, self._resume_step)
        small = {"metrics": METRICS, "events": EVENTS, "elements": elements}
        self._rows = {
            name: _Rows(self.directory / name, schema)
            for name, schema in small.items()
            if schema is not None
        }
        self._triplets = (
            None
            if triplets is None
            else _Steps(self.directory / "triplets", triplets, self.manifest)
        )
        self.manifest.save(self.directory)

    def _refuse_existing(self) -> None:
        if (self.directory / FILE).exists() or any(self.directory.glob("*/part-*.parquet")):
            raise LogError(
                f"{self.directory} holds a run already; choose another directory, delete it, or "
                "resume it"
            )

    def triplets(self, step: int, values: np.ndarray, kept: np.ndarray) -> None:
        """Append one step.

        Parameters
        ----------
        step
            Optimizer steps taken.
        values
            Shape (float columns of the schema, triplets), float32.
        kept
            Boolean by triplet.
        """
        if self._triplets is not None:
            self._triplets.append(step, values, kept)

    def elements(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append the element vectors of one step, and write them out: they are large."""
        for row in rows:
            self._rows["elements"].append(row)
        self._rows["elements"].flush()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Append metrics of one step."""
        for name, value in values.items():
            self._rows["metrics"].append({"step": step, "name": name, "value": float(value)})

    def event(self, **row: Any) -> None:
        """Append one decision, with the columns of ``schema.EVENTS``."""
        self._rows["events"].append(row)

    def flush_if_due(self) -> None:
        """Write what is buffered once ``flush_seconds`` have gone by."""
        if time.monotonic() - self._flushed > self.flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Write everything that is buffered."""
        for table in (*self._rows.values(), self._triplets):
            if table is not None:
                table.flush()
        self._flushed = time.monotonic()

    def close(self, status: Status, results: Mapping[str, Any] | None = None) -> None:
        """Write the rest, note how the run ended, and give up the directory."""
        try:
            self.flush()
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self.manifest = replace(
                self.manifest, status=status, finished=now, results=dict(results or {})
            )
            self.manifest.save(self.directory)
        finally:
            self._lock.release()
