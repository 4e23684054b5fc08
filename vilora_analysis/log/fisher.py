"""The empirical Fisher of single examples, on disk beside the run: one Parquet file a measurement.

``fisher/step-NNNNNN.parquet`` was taken along the training, ``fisher/adapter.parquet`` of the saved
adapter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import replace_bytes
from vilora_analysis.log.places import make_folder

__all__ = ["FISHER_COLUMNS", "FisherFiles"]

_SQUARE = "1/theta^2"
_OVER = "mean over the elements of the triplet's factor"
_TEXT = pa.dictionary(pa.int32(), pa.string())

FISHER_COLUMNS: dict[str, str] = {
    "fisher_example": "mean squared gradient of single examples, of the task loss without dropout "
    "and without the orthogonality penalty, at the posterior mean",
    "fisher_half_1": "the same of every other example",
    "fisher_half_2": "the same of the other half",
    "mean_gradient_squared": "squared mean gradient over the examples, of the same loss; larger "
    "than that of all data by gradient_variance / examples",
    "gradient_variance": "variance of the gradient over examples, divisor examples - 1",
    "penalty_squared": "squared gradient of the orthogonality penalty",
    "predicted_fisher_batch": "expected squared gradient of a batch of batch_size examples, the "
    "penalty included: (mean gradient + penalty)^2 + variance (1/batch_size - 1/examples)",
}
"""What is measured, by name."""

_KEYS = {
    "step": (pa.int64(), "optimizer steps taken", "steps"),
    "source": (_TEXT, "training: along it, all triplets; adapter: the saved one, what it kept", ""),
    "module": (_TEXT, "path of the adapted weight in the base model", ""),
    "layer": (pa.int16(), "layer number from 0; null outside the layers", ""),
    "matrix": (_TEXT, "role of the matrix", ""),
    "k": (pa.int32(), "triplet within the module, as in the log", ""),
    "factor": (_TEXT, "E, A or B", ""),
    "examples": (pa.int32(), "training examples, the same at every step", ""),
    "batch_size": (pa.int32(), "examples in a batch of the training", ""),
}
_POSTERIOR = {
    "sigma": ("posterior standard deviation, root mean square over the elements", "theta"),
    "hess": (f"IVON's Hessian estimate, 1/(ess sigma^2) - weight_decay, {_OVER}", _SQUARE),
}
_SCHEMA = pa.schema(
    [
        *(
            pa.field(name, kind, metadata={"meaning": text, **({"unit": unit} if unit else {})})
            for name, (kind, text, unit) in _KEYS.items()
        ),
        *(
            pa.field(name, pa.float32(), metadata={"meaning": f"{text}; {_OVER}", "unit": _SQUARE})
            for name, text in FISHER_COLUMNS.items()
        ),
        *(
            pa.field(name, pa.float32(), metadata={"meaning": text, "unit": unit})
            for name, (text, unit) in _POSTERIOR.items()
        ),
    ]
)
_NAME = re.compile(r"step-\d{6,}\.parquet|adapter\.parquet")


class FisherFiles:
    """Folder ``fisher`` of a run.

    Parameters
    ----------
    run
        The run directory.
    """

    def __init__(self, run: Path) -> None:
        self.folder = run / "fisher"

    def write(self, columns: Mapping[str, Any], *, step: int, source: str) -> Path:
        """Write one measurement, all at once; an older one of the same step gives way.

        Parameters
        ----------
        columns
            Columns besides ``step`` and ``source``, by name; ``sigma`` and ``hess`` may be left
            out.
        step
            Optimizer steps taken.
        source
            ``training`` or ``adapter``.

        Raises
        ------
        LogError
            If the folder cannot be written.
        """
        rows = len(columns["k"])
        whole = {
            "step": np.full(rows, step),
            "source": [source] * rows,
            **{name: [None] * rows for name in _POSTERIOR},
            **columns,
        }
        table = pa.table({name: whole[name] for name in _SCHEMA.names}, schema=_SCHEMA)
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        name = f"step-{step:06d}" if source == "training" else source
        path = self.folder / f"{name}.parquet"
        try:
            make_folder(self.folder)
        except OSError as error:
            raise LogError(f"cannot write {self.folder}: {error}") from None
        replace_bytes(path, np.frombuffer(buffer.getvalue(), dtype=np.uint8).data)
        return path

    def paths(self) -> list[Path]:
        """Files of measurements, along the training first."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: (path.stem == "adapter", path.name))

    def read(self) -> pd.DataFrame:
        """All rows, ordered by step as they were taken; columns as in the schema.

        Raises
        ------
        LogError
            If nothing was measured, or a file is damaged.
        """
        paths = self.paths()
        if not paths:
            raise LogError(
                f"no Fisher of single examples was taken of {self.folder.parent}; take it with: "
                f"vilora fisher {self.folder.parent}, or along the training with --fisher-every"
            )
        return pd.concat([_read(path) for path in paths], ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    try:
        with path.open("rb") as file:
            table = pq.read_table(file, schema=_SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"{path} is damaged, delete it: {error}") from None
    frame: pd.DataFrame = table.to_pandas(
        types_mapper={pa.int16(): pd.Int16Dtype()}.get, ignore_metadata=True
    )
    texts: pd.DataFrame = frame.astype(dict.fromkeys(("source", "module", "matrix", "factor"), str))
    return texts
