"""Reading a run: frames of just the columns and steps asked for, or dense blocks of whole steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.parts import Part, list_parts, ordered_parts
from vilora_analysis.log.schema import EVENTS, KEYS, METRICS, describe
from vilora_analysis.log.selection import Steps, select
from vilora_analysis.log.summary import run_html
from vilora_analysis.naming import score_column

__all__ = ["Run", "StepBlock", "Steps", "open_run", "read_part"]

_DAMAGE = (OSError, pa.ArrowException, UnicodeDecodeError)
# a later part of the others may go on with the step that the one before ended in
_LISTED = {"triplets": ordered_parts, "elements": ordered_parts}
_WITHOUT_PARTS = {"triplets": list(KEYS), "events": EVENTS.names, "metrics": METRICS.names}


@dataclass(frozen=True)
class StepBlock:
    """Whole steps as dense arrays, what analyses work on.

    Attributes
    ----------
    steps
        Shape (steps,).
    values
        By column an array of shape (steps, triplets); triplets stand as in the manifest.
    """

    steps: np.ndarray
    values: dict[str, np.ndarray]


class Run:
    """A recorded run on disk.

    Parameters
    ----------
    path
        The run directory.

    Raises
    ------
    LogError
        If there is no run, or one that this version cannot read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = Manifest.load(self.path)

    def __repr__(self) -> str:
        return (
            f"Run({str(self.path)!r}, {self.manifest.status}, criterion={self.manifest.criterion})"
        )

    def _repr_html_(self) -> str:
        return run_html(self)

    @property
    def name(self) -> str:
        """Name of the directory."""
        return self.path.name

    @property
    def score_names(self) -> tuple[str, ...]:
        """Recorded scores."""
        return tuple(score.name for score in self.manifest.scores)

    @property
    def labels(self) -> dict[str, str]:
        """Label of each recorded score."""
        return {score.name: score.label for score in self.manifest.scores}

    @cached_property
    def modules(self) -> pd.DataFrame:
        """One row a triplet, in the order of every step: module, matrix, layer, k."""
        rows = [
            (module.name, module.matrix, module.layer, k)
            for module in self.manifest.modules
            for k in range(module.rank)
        ]
        frame = pd.DataFrame(rows, columns=["module", "matrix", "layer", "k"])
        return frame.astype({"layer": "Int16"})

    @cached_property
    def steps(self) -> np.ndarray:
        """Recorded steps, ascending."""
        return self._recorded("triplets")

    @property
    def columns(self) -> dict[str, dict[str, str]]:
        """Meaning, unit and source of each column of ``triplets``."""
        parts = list_parts(self.path / "triplets")
        described = describe(_open(parts[0]).schema_arrow) if parts else {}
        return {name: dict(entry) for name, entry in described.items()}

    def triplets(self, columns: Sequence[str] | None = None, steps: Steps = None) -> pd.DataFrame:
        """Rows of the triplets table.

        Parameters
        ----------
        columns
            Columns to read; all if None. Those of a score by its published name come by ours.
        steps
            Steps to read; all if None.

        Returns
        -------
        DataFrame
            One row a step, module and k, with units in ``.attrs["units"]``; empty if the run has
            no steps yet.

        Raises
        ------
        LogError
            If a column, or a step asked for by its number, is not there, or a part is damaged or
            there twice.
        """
        known = None if columns is None else [*map(score_column, columns)]
        return self._frame("triplets", known, steps)

    def elements(self, columns: Sequence[str] | None = None, steps: Steps = None) -> pd.DataFrame:
        """Rows of the elements table: vectors by step, module, k and factor."""
        return self._frame("elements", columns, steps)

    def events(self) -> pd.DataFrame:
        """One row a decision: step, budget, threshold, n_kept, pruned, revived."""
        return self._frame("events", None, None)

    def metrics(self) -> pd.DataFrame:
        """One row a step, one column a metric; NaN where a metric was not taken."""
        long = self._frame("metrics", None, None).astype({"step": "int64", "name": str})
        latest = long.drop_duplicates(["step", "name"], keep="last")
        wide = latest.pivot_table("value", "step", "name", aggfunc="last", dropna=False)
        return wide.rename_axis(columns=None).reset_index()

    def blocks(self, columns: Sequence[str], steps: Steps = None) -> Iterator[StepBlock]:
        """Walk over the triplets part by part, as dense arrays of whole steps.

        Memory does not grow with the length of the run.

        Raises
        ------
        LogError
            As :meth:`triplets`, and if a part does not hold whole steps.
        """
        n = self.manifest.n_triplets
        columns = [*map(score_column, columns)]
        for part, rows in self._tables("triplets", ["step", *columns], steps):
            if rows.num_rows % n:
                raise LogError(f"{part.path} does not hold whole steps of {n} triplets")
            numbers = rows["step"].to_numpy()[::n]
            yield StepBlock(numbers, {c: rows[c].to_numpy().reshape(-1, n) for c in columns})

    def _frame(self, table: str, columns: Sequence[str] | None, steps: Steps) -> pd.DataFrame:
        parts = list_parts(self.path / table)
        if not parts:
            names = _WITHOUT_PARTS.get(table, []) if columns is None else columns
            return pd.DataFrame(columns=pd.Index(names))
        read = None if columns is None else ["step", *columns]
        tables = [rows for _, rows in self._tables(table, read, steps)]
        whole = pa.concat_tables(tables or [read_part(parts[0], read).slice(0, 0)])
        # as elsewhere: a layer is a whole number, or not there
        mapper = {pa.int16(): pd.Int16Dtype()}.get
        frame: pd.DataFrame = whole.to_pandas(ignore_metadata=True, types_mapper=mapper)
        frame.attrs["units"] = {k: v.get("unit", "") for k, v in describe(whole.schema).items()}
        return frame if columns is None else frame[list(columns)]

    def _tables(
        self, table: str, columns: Sequence[str] | None, steps: Steps
    ) -> Iterator[tuple[Part, pa.Table]]:
        """Rows of the steps asked for, part by part; parts without any are left out."""
        parts = _LISTED.get(table, list_parts)(self.path / table)
        if not parts:
            return
        wanted = select(steps, lambda: self._recorded(table))
        missing = set(wanted.named)
        for part in parts:
            if wanted.overlaps(part.first, part.last):
                rows = wanted.filter(read_part(part, columns))
                if rows.num_rows:
                    missing.difference_update(rows["step"].to_numpy().tolist())
                    yield part, rows
        if missing:
            raise LogError(
                f"{self.path / table} has no step {', '.join(map(str, sorted(missing)))}; it has "
                f"steps between {parts[0].first} and {parts[-1].last}"
            )

    def _recorded(self, table: str) -> np.ndarray:
        """Steps of a table, ascending."""
        parts = list_parts(self.path / table)
        read = [np.unique(read_part(part, ["step"])["step"].to_numpy()) for part in parts]
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *read]))


def _open(part: Part) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(part.path, page_checksum_verification=True)
    except _DAMAGE as error:
        raise LogError(f"{part.path} is damaged: {error}") from None


def read_part(part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one part, or say which file is damaged or lacks a column.

    Raises
    ------
    LogError
        Naming the file.
    """
    file = _open(part)
    try:
        there = file.schema_arrow.names
        missing = [name for name in columns or () if name not in there]
        if missing:
            raise LogError(
                f"{part.path.parent} has no column {', '.join(missing)}; it has: {', '.join(there)}"
            )
        return file.read(columns=None if columns is None else list(dict.fromkeys(columns)))
    except _DAMAGE as error:
        raise LogError(f"{part.path} is damaged: {error}") from None


def open_run(path: str | Path) -> Run:
    """Open a recorded run.

    Raises
    ------
    LogError
        If there is no run there, or one that this version cannot read.
    """
    return Run(path)
