"""What reading a run walks over: whole steps as dense arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["StepBlock"]


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
