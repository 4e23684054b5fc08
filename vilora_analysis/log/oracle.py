"""What the oracle found, on disk beside the run: one Parquet file a batch, and one for sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import replace_bytes, replace_file
from vilora_analysis.log.places import make_folder

__all__ = ["TARGETS", "OracleFiles"]

TARGETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "signed": lambda change: change.mean(axis=-1),
    "absolute": lambda change: np.abs(change.mean(axis=-1)),
    "moved": lambda change: np.abs(change).mean(axis=-1),
}
"""From the changes of the loss, examples along the last axis, to one number a triplet:

- ``signed``: the mean change; a triplet whose removal helps stands lowest;
- ``absolute``: its magnitude; a triplet without which the loss is the same stands lowest;
- ``moved``: the mean magnitude by example; a triplet that changes no prediction stands lowest."""

_FIELDS = {
    "example": (pa.int32(), "row of the held-out split", ""),
    "module": (
        pa.dictionary(pa.int32(), pa.string()),
        "adapted weight; null for the whole model",
        "",
    ),
    "k": (pa.int32(), "triplet that was removed, as in the log; null for the whole model", ""),
    "loss": (pa.float32(), "cross-entropy of the example (squared error of a regression)", "nats"),
    "right": (
        pa.float32(),
        "1 if classified rightly (minus the squared error of a regression)",
        "1",
    ),
}
_SCHEMA = pa.schema(
    [
        pa.field(name, kind, metadata={"meaning": meaning, **({"unit": unit} if unit else {})})
        for name, (kind, meaning, unit) in _FIELDS.items()
    ]
)


class OracleFiles:
    """Folder ``oracle`` of a run.

    Parameters
    ----------
    run
        The run directory.
    """

    def __init__(self, run: Path) -> None:
        self.folder = run / "oracle"

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Note what is asked; a folder of other settings is refused.

        Raises
        ------
        LogError
            If the folder holds an oracle of other settings.
        """
        path = self.folder / "oracle.json"
        text = json.dumps(dict(settings), indent=1)
        if path.exists() and json.loads(path.read_text(encoding="utf-8")) != json.loads(text):
            raise LogError(
                f"{self.folder} holds an oracle of other settings ({path.name} says which); delete "
                "it, or ask with those"
            )
        make_folder(self.folder)
        replace_file(path, text + "\n")

    def settings(self) -> dict[str, Any]:
        """What was asked.

        Raises
        ------
        LogError
            If the oracle was not asked about this run.
        """
        try:
            loaded: dict[str, Any] = json.loads((self.folder / "oracle.json").read_bytes())
        except (OSError, ValueError):
            raise LogError(
                f"there is no oracle of {self.folder.parent}; ask it with: vilora oracle "
                f"{self.folder.parent}"
            ) from None
        return loaded

    def has_batch(self, number: int) -> bool:
        """Whether a batch is done."""
        return self._part(number).exists()

    def write_batch(self, number: int, columns: Mapping[str, Any]) -> None:
        """Write one batch, all at once."""
        table = pa.table(dict(columns), schema=_SCHEMA)
        self._write(self._part(number), table)

    def write_sets(self, frame: pd.DataFrame) -> None:
        """Write the losses with sets of triplets removed together."""
        self._write(self.folder / "sets.parquet", pa.Table.from_pandas(frame, preserve_index=False))

    def losses(self) -> pd.DataFrame:
        """All rows: example, module, k, loss, right.

        Raises
        ------
        LogError
            If there is nothing, or not all of it yet.
        """
        due = self.settings()["batches"]
        there = [number for number in range(due) if self.has_batch(number)]
        if len(there) < due:
            raise LogError(
                f"the oracle of {self.folder.parent} is not finished: {len(there)} of {due} "
                "batches; the same command goes on"
            )
        return pd.concat([_read(self._part(n)) for n in there], ignore_index=True)

    def sets(self) -> pd.DataFrame | None:
        """Rows of :meth:`write_sets`; None if there are none."""
        path = self.folder / "sets.parquet"
        return _read(path) if path.exists() else None

    def _part(self, number: int) -> Path:
        return self.folder / f"batch-{number:05d}.parquet"

    def _write(self, path: Path, table: pa.Table) -> None:
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        replace_bytes(path, np.frombuffer(buffer.getvalue(), dtype=np.uint8).data)


def _read(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:
        return pd.read_parquet(file)
