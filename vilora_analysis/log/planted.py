"""What was planted and what the oracle knows of it, on disk beside a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import replace_bytes, replace_file
from vilora_analysis.log.places import make_folder

__all__ = ["PlantedFiles"]

_STRING = pa.dictionary(pa.int32(), pa.string())
_MODULES = {
    "module": (_STRING, "adapted weight, as in the log", ""),
    "planted": (pa.int32(), "rank of the teacher's update; 0 where there is none", "1"),
    "effect_alone": (
        pa.float32(),
        "change of the encoder's outputs by this update alone, over their standard deviation",
        "1",
    ),
    "effect_without": (
        pa.float32(),
        "change of the teacher's outputs without this update, over their standard deviation",
        "1",
    ),
    "norm_ratio": (pa.float32(), "Frobenius norm of the teacher's update over the weight's", "1"),
    "spectral_ratio": (pa.float32(), "spectral norm of it over the weight's", "1"),
    "learnt_ratio": (pa.float32(), "Frobenius norm of the student's update over the weight's", "1"),
    "learnt_rank": (
        pa.float32(),
        "participation ratio of the student's squared singular values, (Σs²)² / Σs⁴",
        "1",
    ),
    "alignment": (pa.float32(), "cosine of the student's and the teacher's update", "1"),
}
_TRIPLETS = {
    "module": (_STRING, "adapted weight, as in the log", ""),
    "k": (pa.int32(), "triplet, as in the log", ""),
    "effect": (pa.float32(), "mean rise of the held-out distillation loss without it", "1"),
    "error": (pa.float32(), "standard error of that over the held-out texts", "1"),
}


class PlantedFiles:
    """Folder ``planted`` of a run.

    Parameters
    ----------
    run
        The run directory.
    """

    def __init__(self, run: Path) -> None:
        self.folder = run / "planted"

    def write(
        self, settings: Mapping[str, Any], modules: pd.DataFrame, triplets: pd.DataFrame
    ) -> None:
        """Write everything; the settings last, so that their being there says that all is.

        Parameters
        ----------
        settings
            What decides the outcome.
        modules
            One row a module: module, planted, effect_alone, effect_without, norm_ratio,
            spectral_ratio, learnt_ratio, learnt_rank, alignment.
        triplets
            One row a triplet: module, k, effect, error.
        """
        make_folder(self.folder)
        self._write("modules", modules, _MODULES)
        self._write("triplets", triplets, _TRIPLETS)
        replace_file(self.folder / "planted.json", json.dumps(dict(settings), indent=1) + "\n")

    def settings(self) -> dict[str, Any]:
        """What was planted, and how the student was trained.

        Raises
        ------
        LogError
            If nothing was planted in this run.
        """
        try:
            text = (self.folder / "planted.json").read_text(encoding="utf-8")
            loaded: dict[str, Any] = json.loads(text)
        except (OSError, ValueError):
            raise LogError(
                f"nothing was planted in {self.folder.parent}; make such runs with: vilora planted"
            ) from None
        return loaded

    def modules(self) -> pd.DataFrame:
        """Rows of the modules."""
        return self._read("modules")

    def triplets(self) -> pd.DataFrame:
        """Rows of the triplets."""
        return self._read("triplets")

    def _read(self, name: str) -> pd.DataFrame:
        self.settings()
        with (self.folder / f"{name}.parquet").open("rb") as file:
            return pd.read_parquet(file).astype({"module": str})

    def _write(
        self, name: str, frame: pd.DataFrame, fields: Mapping[str, tuple[pa.DataType, str, str]]
    ) -> None:
        schema = pa.schema(
            [
                pa.field(n, kind, metadata={"meaning": said, **({"unit": unit} if unit else {})})
                for n, (kind, said, unit) in fields.items()
            ]
        )
        buffer = pa.BufferOutputStream()
        columns = {name: pa.array(frame[name]) for name in fields}
        table = pa.table({n: column.cast(schema.field(n).type) for n, column in columns.items()})
        pq.write_table(table.cast(schema), buffer, compression="zstd")
        content = np.frombuffer(buffer.getvalue(), dtype=np.uint8).data
        replace_bytes(self.folder / f"{name}.parquet", content)
