"""Agreement of many rankings with many others at once: Spearman, Kendall, recall of the lowest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

__all__ = ["Measure", "measures"]

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]

_PAIRWISE = 512  # triplets up to which all pairs are compared at once
_CHUNK = 64  # rankings whose pairs are in memory at once


def measures(lowest: int) -> dict[str, Measure]:
    """By name: from scores (a, triplets) and effects (b, triplets) to agreements (a, b).

    Parameters
    ----------
    lowest
        How many triplets ``recall`` looks at: of those of lowest effect the share that the score
        puts lowest too, ties broken by position.

    Examples
    --------
    >>> scores, effects = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    >>> {n: agree(scores, effects).round(6).tolist() for n, agree in measures(1).items()}
    {'spearman': [[1.0, -1.0]], 'kendall': [[1.0, -1.0]], 'recall': [[1.0, 0.0]]}
    """
    return {
        "spearman": _spearman,
        "kendall": _kendall,
        "recall": lambda a, b: _lowest(a, lowest) @ _lowest(b, lowest).T / lowest,
    }


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _cosine(*(_centred(stats.rankdata(x, axis=-1)) for x in (a, b)))


def _centred(values: np.ndarray) -> np.ndarray:
    centred: np.ndarray = values - values.mean(axis=-1, keepdims=True)
    return centred


def _kendall(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Tau-b: concordance is a product of the signs of all differences."""
    if a.shape[-1] > _PAIRWISE:
        return np.array([[float(stats.kendalltau(x, y).statistic) for y in b] for x in a])
    signs = _signs(a)
    chunks = [b[i : i + _CHUNK] for i in range(0, len(b), _CHUNK)]
    return np.concatenate([_cosine(signs, _signs(chunk)) for chunk in chunks], axis=1)


def _signs(values: np.ndarray) -> np.ndarray:
    """In single precision, which counts exactly as far as there are pairs."""
    first, second = np.triu_indices(values.shape[-1], k=1)
    signs: np.ndarray = np.sign(values[:, first] - values[:, second]).astype(np.float32)
    return signs


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products of unit rows; NaN where a row is zero, a ranking without differences."""
    lengths = np.outer(*(np.sqrt((x**2).sum(axis=-1)).astype(float) for x in (a, b)))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.clip(a @ b.T / lengths, -1.0, 1.0)
    return found


def _lowest(values: np.ndarray, count: int) -> np.ndarray:
    """1 for the ``count`` lowest of each row."""
    chosen = np.zeros(values.shape)
    order = np.argsort(values, axis=-1, kind="stable")[:, :count]
    np.put_along_axis(chosen, order, 1.0, axis=-1)
    return chosen
