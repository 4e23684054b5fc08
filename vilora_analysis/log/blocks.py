"""What reading a run walks over: whole steps as dense arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import Part

__all__ = ["StepBlock", "dense_block"]


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


def dense_block(part: Part, rows: pa.Table, columns: Sequence[str], n: int) -> StepBlock:
    """Rows of whole steps of n triplets as dense arrays.

    Raises
    ------
    LogError
        Naming the part, if it does not hold whole steps.
    """
    if not n or rows.num_rows % n:
        raise LogError(f"{part.path} does not hold whole steps of {n} triplets")
    values = {name: rows[name].to_numpy().reshape(-1, n) for name in columns}
    # not a view: who keeps the numbers of the steps would keep the column
    return StepBlock(rows["step"].to_numpy()[::n].copy(), values)
