"""How much do triplets differ? Arrays of (steps, triplets) in, a number a step out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vilora_analysis.analysis.correlation import METHODS

__all__ = ["outweighs", "rms", "share_of", "spearman", "spread"]

_MOST = 1024  # triplets whose pairs are compared, half a million
_RESOLVED = 3e-7  # differences of logarithms that single precision can tell from its rounding


def rms(values: np.ndarray) -> np.ndarray:
    """Root mean square over triplets."""
    root: np.ndarray = np.sqrt((values**2).mean(axis=1))
    return root


def spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation over triplets, and 0 for a constant: not what rounding leaves of it.

    Examples
    --------
    >>> spread(np.array([[0.1, 0.1, 0.1], [1.0, 2.0, 3.0]])).round(3).tolist()
    [0.0, 0.816]
    """
    constant = values.max(axis=1) == values.min(axis=1)
    deviation: np.ndarray = np.where(constant, 0.0, values.std(axis=1))
    return deviation


def spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rank correlation over triplets; NaN where either side is constant."""
    return METHODS["spearman"](np.stack([a, b], axis=-1))[:, 0, 1]


def share_of(part: np.ndarray, wholes: Sequence[np.ndarray]) -> np.ndarray:
    """Median over all triplets of what one part, shape (steps, 1), makes up of them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: np.ndarray = np.median(part / np.concatenate(wholes, axis=1), axis=1)
    return shares


def outweighs(size: np.ndarray, width: np.ndarray) -> float:
    r"""Share of pairs in which the widths differ by a larger factor than the sizes.

    Only there can a division by the width turn the order: of size / width, the logarithm is
    log size - log width. Pairs of equal sizes are left out, and pairs are those of at most 1,024
    values, evenly taken from all that have logarithms.

    Parameters
    ----------
    size, width
        Values of one step, shape (triplets,).

    Returns
    -------
    float
        From 0 to 1; NaN if no two sizes differ.

    Examples
    --------
    Three pairs; the sizes are apart by factors of 2, 2 and 4, the widths by 3, 1 and 3:

    >>> outweighs(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 3.0])) == 1 / 3
    True
    """
    there = np.flatnonzero((size > 0) & (width > 0))
    chosen = there[:: max(1, -(-len(there) // _MOST))]
    by_size, by_width = (np.abs(x[:, None] - x) for x in np.log([size[chosen], width[chosen]]))
    differ = by_size > 0
    more = (by_width > by_size + _RESOLVED) & differ
    return float(more.sum() / differ.sum()) if differ.any() else np.nan
