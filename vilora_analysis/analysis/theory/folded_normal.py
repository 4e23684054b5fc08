"""The SNR of a normal variable's magnitude, in double precision and without torch."""

from __future__ import annotations

import numpy as np
from scipy import special

__all__ = ["FLOOR", "snr_abs"]

FLOOR = 1 / np.sqrt(np.pi / 2 - 1)
"""SNR of the magnitude where mu is 0: 1.3236."""


def snr_abs(ratio: np.ndarray) -> np.ndarray:
    """SNR of the magnitude of a normal variable, from r = |mu|/sigma.

    (r + ε)/sqrt(1 − 2rε − ε²) with ε = 2(φ(r) − r Φ(−r)), see ``docs/theory.md``.

    Examples
    --------
    >>> snr_abs(np.array([0.0, 1.0, 50.0])).round(4).tolist()
    [1.3236, 1.4595, 50.0]
    """
    density = np.sqrt(2 / np.pi) * np.exp(-0.5 * ratio**2)
    excess = np.clip(density - ratio * special.erfc(ratio / np.sqrt(2)), 0, None)
    return np.asarray((ratio + excess) / np.sqrt(1 - excess * (2 * ratio + excess)))
