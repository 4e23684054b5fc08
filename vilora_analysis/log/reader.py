"""Reading a run: frames of just the columns and steps asked for, or dense blocks of whole steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.blocks import StepBlock, dense_block
from vilora_analysis.log.holes import whole_parts
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.parts import Part, list_parts
from vilora_analysis.log.places import as_place
from vilora_analysis.log.provided import Audits
from vilora_analysis.log.reading import (
    PartGoneError,
    open_part,
    read_groups,
    read_part,
    recorded_steps,
    until_settled,
)
from vilora_analysis.log.schema import EVENTS, KEYS, METRICS, describe
from vilora_analysis.log.selection import Steps, select
from vilora_analysis.log.summary import run_html
from vilora_analysis.naming import score_column

__all__ = ["Run", "StepBlock", "Steps", "open_run", "read_part"]

_WITHOUT_PARTS = {"triplets": list(KEYS), "events": EVENTS.names, "metrics": METRICS.names}


class Run:
    """A recorded run, on disk or in an object store.

    Parameters
    ----------
    path
        The run directory, or its URL: ``s3://bucket/runs/sst2``.

    Attributes
    ----------
    path, manifest
        Where it is, and what it is.
    audits
        Questions to it, by name: ``run.audits.health()`` gives tables, figures and a verdict.

    Raises
    ------
    LogError
        If there is no run, or one that this version cannot read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = as_place(path)
        self.manifest = Manifest.load(self.path)
        # no property: completion in a notebook evaluates none, and would not see what is in it
        self.audits = Audits(self)

    def __repr__(self) -> str:
        return (
            f"Run({str(self.path)!r}, {self.manifest.status}, criterion={self.manifest.criterion})"
        )

    def _repr_html_(self) -> str:
        return run_html(self)

    @property
    def name(self) -> str:
        """Name of the directory."""
        return self.path.resolve().name

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
        return until_settled(self._described)

    def _described(self) -> dict[str, dict[str, str]]:
        parts = list_parts(self.path / "triplets")
        described = describe(open_part(parts[0]).schema_arrow) if parts else {}
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
        frame = wide.rename_axis(columns=None).reset_index()
        frame.attrs["units"] = {"step": "steps", **({"seconds": "s"} if "seconds" in wide else {})}
        return frame

    def blocks(self, columns: Sequence[str], steps: Steps = None) -> Iterator[StepBlock]:
        """Walk over the triplets row group by row group, as dense arrays of whole steps.

        Memory does not grow with the length of the run. If its parts are put together meanwhile
        (``vilora compact``), reading goes on behind the last step that was given.

        Raises
        ------
        LogError
            As :meth:`triplets`, and if a part does not hold whole steps.
        """
        n, after = self.manifest.n_triplets, -1
        columns = [*map(score_column, columns)]
        while True:
            try:
                for part, rows in self._tables("triplets", ["step", *columns], steps, after):
                    block = dense_block(part, rows, columns, n)
                    yield block
                    after = int(block.steps[-1])
                pa.default_memory_pool().release_unused()  # which else stays with the process
                return
            except PartGoneError:
                pass  # listed anew

    def _frame(self, table: str, columns: Sequence[str] | None, steps: Steps) -> pd.DataFrame:
        parts = self.parts(table)
        if not parts:
            names = _WITHOUT_PARTS.get(table, []) if columns is None else columns
            return pd.DataFrame(columns=pd.Index(names))
        read = None if columns is None else ["step", *columns]
        tables = until_settled(lambda: [rows for _, rows in self._tables(table, read, steps)])
        if not tables:
            tables = until_settled(lambda: [self._no_rows(table, read)])
        try:
            whole = pa.concat_tables(tables)
        except pa.ArrowInvalid:
            raise LogError(
                f"{self.path / table} has parts of different columns; vilora check says which"
            ) from None
        # as elsewhere: a layer is a whole number, or not there
        mapper = {pa.int16(): pd.Int16Dtype()}.get
        frame: pd.DataFrame = whole.to_pandas(ignore_metadata=True, types_mapper=mapper)
        frame.attrs["units"] = {k: v.get("unit", "") for k, v in describe(whole.schema).items()}
        return frame if columns is None else frame[list(columns)]

    def _no_rows(self, table: str, columns: Sequence[str] | None) -> pa.Table:
        parts = list_parts(self.path / table)
        return read_part(parts[0], columns, rows=False)

    def _tables(
        self, table: str, columns: Sequence[str] | None, steps: Steps, after: int = -1
    ) -> Iterator[tuple[Part, pa.Table]]:
        """Rows of the steps asked for, by row group; those without any are left out."""
        parts = self.parts(table)
        if not parts:
            return
        wanted = select(steps, lambda: self._recorded(table)).beyond(after)
        missing = set(wanted.named)
        for part in parts:
            if wanted.overlaps(part.first, part.last):
                for group in read_groups(part, columns, wanted, self.manifest.run_id):
                    rows = wanted.filter(group)
                    if rows.num_rows:
                        if missing:
                            missing.difference_update(rows["step"].to_numpy().tolist())
                        yield part, rows
        if missing:
            raise LogError(
                f"{self.path / table} has no step {', '.join(map(str, sorted(missing)))}; it has "
                f"steps between {parts[0].first} and {parts[-1].last}"
            )

    def parts(self, table: str) -> list[Part]:
        """Parts of a table, in order.

        Raises
        ------
        LogError
            If one is missing that is not known to be, or there is one too much.
        """
        try:
            return whole_parts(self.path, self.manifest, table)
        except LogError:  # a run that is being written may have said meanwhile what it lost
            return whole_parts(self.path, Manifest.load(self.path), table)

    def _recorded(self, table: str) -> np.ndarray:
        """Steps of a table, ascending."""
        return until_settled(lambda: self._listed_steps(table))

    def _listed_steps(self, table: str) -> np.ndarray:
        every = self.manifest.every if table == "triplets" else None
        read = [recorded_steps(part, every) for part in self.parts(table)]
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *read]))


def open_run(path: str | Path) -> Run:
    """Open a recorded run.

    Parameters
    ----------
    path
        The run directory, or its URL: ``s3://bucket/runs/sst2``.

    Raises
    ------
    LogError
        If there is no run there, or one that this version cannot read.
    """
    return Run(path)
