"""Reading a run: frames of just the columns and steps asked for, or dense blocks of whole steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError
from vilora_analysis.log.manifest import FILE, Manifest
from vilora_analysis.log.parts import Part, list_parts
from vilora_analysis.log.schema import describe
from vilora_analysis.log.summary import run_html

__all__ = ["Run", "StepBlock", "Steps", "find_runs", "open_run"]

Steps = int | slice | Sequence[int] | None
"""Which steps: one (negative counts from the last), ``slice(first, stop)``, several, or all."""


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
        parts = self._parts("triplets")
        if not parts:
            return np.empty(0, dtype=np.int64)
        columns = [read_part(part, ["step"])["step"].to_numpy() for part in parts]
        return np.concatenate([steps[:: self.manifest.n_triplets] for steps in columns])

    @property
    def columns(self) -> dict[str, dict[str, str]]:
        """Meaning, unit and source of each column of ``triplets``."""
        parts = self._parts("triplets")
        described = describe(_open(parts[0]).schema_arrow) if parts else {}
        return {name: dict(entry) for name, entry in described.items()}

    def triplets(self, columns: Sequence[str] | None = None, steps: Steps = None) -> pd.DataFrame:
        """Rows of the triplets table.

        Parameters
        ----------
        columns
            Columns to read; all if None.
        steps
            Steps to read; all if None.

        Returns
        -------
        DataFrame
            One row a step, module and k, with units in ``.attrs["units"]``.
        """
        return self._frame("triplets", columns, steps)

    def elements(self, columns: Sequence[str] | None = None, steps: Steps = None) -> pd.DataFrame:
        """Rows of the elements table: vectors by step, module, k and factor."""
        return self._frame("elements", columns, steps)

    def events(self) -> pd.DataFrame:
        """One row a decision: step, budget, threshold, n_kept, pruned, revived."""
        return self._frame("events", None, None)

    def metrics(self) -> pd.DataFrame:
        """One row a step, one column a metric; NaN where a metric was not taken."""
        long = self._frame("metrics", None, None)
        if long.empty:
            return pd.DataFrame({"step": pd.Series(dtype="int64")})
        long["name"] = long["name"].astype(str)
        wide = long.pivot_table(index="step", columns="name", values="value", aggfunc="last")
        return wide.rename_axis(columns=None).reset_index()

    def blocks(self, columns: Sequence[str], steps: Steps = None) -> Iterator[StepBlock]:
        """Walk over the triplets part by part, as dense arrays of whole steps.

        Memory does not grow with the length of the run.

        Raises
        ------
        LogError
            If a part does not hold whole steps.
        """
        n = self.manifest.n_triplets
        wanted = self._selection(steps)
        for part in self._parts("triplets", wanted):
            table = read_part(part, ["step", *columns])
            if table.num_rows % n:
                raise LogError(f"{part.path} does not hold whole steps of {n} triplets")
            numbers = table["step"].to_numpy()[::n]
            rows = np.array([wanted.contains(int(step)) for step in numbers], dtype=bool)
            if rows.any():
                dense = {name: table[name].to_numpy().reshape(-1, n)[rows] for name in columns}
                yield StepBlock(numbers[rows], dense)

    def _frame(self, table: str, columns: Sequence[str] | None, steps: Steps) -> pd.DataFrame:
        wanted = self._selection(steps)
        parts = self._parts(table, wanted)
        if not parts:
            return pd.DataFrame(columns=pd.Index(list(columns or [])))
        read = None if columns is None else list(dict.fromkeys(["step", *columns]))
        tables = [_filter(read_part(part, read), wanted) for part in parts]
        whole = pa.concat_tables(tables)
        frame: pd.DataFrame = whole.to_pandas(ignore_metadata=True)
        frame.attrs["units"] = {k: v.get("unit", "") for k, v in describe(whole.schema).items()}
        return frame if columns is None else frame[list(columns)]

    def _parts(self, table: str, wanted: _Selection | None = None) -> list[Part]:
        parts = list_parts(self.path / table)
        return [p for p in parts if wanted is None or wanted.overlaps(p.first, p.last)]

    def _selection(self, steps: Steps) -> _Selection:
        if isinstance(steps, (int, np.integer)):
            recorded = self.steps
            step = int(steps) if steps >= 0 else int(recorded[int(steps)]) if len(recorded) else 0
            return _Selection(step, step, lambda number: number == step)
        if isinstance(steps, slice):
            first, stop = steps.start or 0, steps.stop if steps.stop is not None else 2**62
            stride = steps.step or 1
            return _Selection(
                first, stop - 1, lambda n: first <= n < stop and (n - first) % stride == 0
            )
        if steps is None:
            return _Selection(0, 2**62, lambda _: True)
        chosen = {int(step) for step in steps}
        return _Selection(min(chosen, default=0), max(chosen, default=-1), chosen.__contains__)


@dataclass(frozen=True)
class _Selection:
    first: int
    last: int
    contains: Callable[[int], bool]

    def overlaps(self, first: int, last: int) -> bool:
        return first <= self.last and last >= self.first


def _open(part: Part) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(part.path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"{part.path} is damaged: {error}") from None


def read_part(part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one part, or say which file is damaged or lacks a column.

    Raises
    ------
    LogError
        Naming the file.
    """
    file = _open(part)
    missing = [name for name in columns or () if name not in file.schema_arrow.names]
    if missing:
        raise LogError(
            f"{part.path.parent} has no column {', '.join(missing)}; it has: "
            f"{', '.join(file.schema_arrow.names)}"
        )
    try:
        return file.read(columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"{part.path} is damaged: {error}") from None


def _filter(table: pa.Table, wanted: _Selection) -> pa.Table:
    numbers, inverse = np.unique(table["step"].to_numpy(), return_inverse=True)
    keep = np.array([wanted.contains(int(step)) for step in numbers], dtype=bool)
    return table if keep.all() else table.filter(pa.array(keep[inverse]))


def open_run(path: str | Path) -> Run:
    """Open a recorded run.

    Raises
    ------
    LogError
        If there is no run there, or one that this version cannot read.
    """
    return Run(path)


def find_runs(path: str | Path) -> list[Run]:
    """Runs at or directly below a directory, by name."""
    path = Path(path)
    if (path / FILE).exists():
        return [Run(path)]
    return [Run(found.parent) for found in sorted(path.glob(f"*/{FILE}"))]
