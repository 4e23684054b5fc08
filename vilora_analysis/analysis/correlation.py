"""Do two scores rank the triplets alike? Spearman, Kendall and Pearson, by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.average_ranks import centred_ranks
from vilora_analysis.analysis.engine import map_blocks
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run, StepBlock
from vilora_analysis.log.reader import Steps
from vilora_analysis.naming import score_name

__all__ = ["METHODS", "CorrelationBlock", "correlation_blocks", "correlations"]

_PAIRWISE = 512  # triplets up to which all pairs are compared at once


@dataclass(frozen=True)
class CorrelationBlock:
    """Correlations of all pairs of scores at some steps.

    Attributes
    ----------
    steps
        Shape (steps,).
    group
        ``all``, or the kind of matrix.
    method
        As asked.
    n
        Triplets compared.
    values
        Shape (steps, scores, scores); NaN where a score is constant.
    """

    steps: np.ndarray
    group: str
    method: str
    n: int
    values: np.ndarray


def correlations(
    run: Run,
    *,
    scores: Sequence[str] | None = None,
    steps: Steps = None,
    methods: Sequence[str] = ("spearman",),
    by: Literal["all", "matrix"] = "all",
) -> pd.DataFrame:
    """Correlate all pairs of scores over the triplets, step by step.

    The frame has a row for every step and pair; of very long runs take :func:`correlation_blocks`,
    or fewer steps.

    Parameters
    ----------
    run
        A recorded run.
    scores
        Scores to compare, by their names or published aliases; all recorded ones if None.
    steps
        Steps to look at; all recorded ones if None.
    methods
        Some of ``spearman``, ``kendall`` (tau-b), ``pearson``.
    by
        Over all triplets, or within each kind of matrix.

    Returns
    -------
    DataFrame
        step, group, method, score_a, score_b, value, n; value is NaN where a score is constant.

    Raises
    ------
    ConfigError
        For an unknown method or grouping, or fewer than two different scores.
    LogError
        If a score is not in the log.
    """
    names = _asked(run, scores, methods, by)
    blocks = correlation_blocks(run, scores=names, steps=steps, methods=methods, by=by)
    frames = [_tidy(block, names) for block in blocks]
    if not frames:
        return pd.DataFrame(columns=["step", "group", "method", "score_a", "score_b", "value", "n"])
    return pd.concat(frames, ignore_index=True)


def correlation_blocks(
    run: Run,
    *,
    scores: Sequence[str] | None = None,
    steps: Steps = None,
    methods: Sequence[str] = ("spearman",),
    by: Literal["all", "matrix"] = "all",
) -> Iterator[CorrelationBlock]:
    """Correlate all pairs of scores over the triplets, some hundred steps at a time.

    A few blocks are computed at once, see :func:`map_blocks`: memory does not grow with the run.

    Parameters
    ----------
    run, scores, steps, methods, by
        As of :func:`correlations`.

    Raises
    ------
    ConfigError, LogError
        As :func:`correlations`.
    """
    names = _asked(run, scores, methods, by)
    columns = [f"score.{name}" for name in names]
    groups = None if by == "all" else _groups(run)
    correlate = partial(_correlate, columns=columns, groups=groups, methods=methods)
    return chain.from_iterable(map_blocks(run, columns, steps, correlate))


def _correlate(
    block: StepBlock,
    columns: list[str],
    groups: list[tuple[str, np.ndarray]] | None,
    methods: Sequence[str],
) -> list[CorrelationBlock]:
    """Each method of each group of triplets; of all together if None."""
    values = np.stack([block.values[name] for name in columns], axis=1)
    of_groups = [("all", values)] if groups is None else [(g, values[..., r]) for g, r in groups]
    return [
        CorrelationBlock(
            block.steps, group, method, chosen.shape[2], METHODS[method](chosen.transpose(0, 2, 1))
        )
        for group, chosen in of_groups
        for method in methods
    ]


def _asked(run: Run, scores: Sequence[str] | None, methods: Sequence[str], by: str) -> list[str]:
    names = list(dict.fromkeys(map(score_name, run.score_names if scores is None else scores)))
    if len(names) < 2 or not set(methods) <= METHODS.keys() or by not in ("all", "matrix"):
        raise ConfigError(
            f"expected at least two scores, methods of {', '.join(METHODS)}, and by all or matrix; "
            f"got {', '.join(names) or 'no score'}, {', '.join(methods) or 'no method'}, {by}"
        )
    return names


def _groups(run: Run) -> list[tuple[str, np.ndarray]]:
    matrix = run.modules["matrix"].to_numpy()
    return [(name, np.flatnonzero(matrix == name)) for name in dict.fromkeys(matrix)]


def _tidy(block: CorrelationBlock, names: list[str]) -> pd.DataFrame:
    a, b = np.triu_indices(len(names), k=1)
    n_steps = len(block.steps)
    return pd.DataFrame(
        {
            "step": np.repeat(block.steps, len(a)),
            "group": block.group,
            "method": block.method,
            "score_a": np.tile(np.array(names)[a], n_steps),
            "score_b": np.tile(np.array(names)[b], n_steps),
            "value": block.values[:, a, b].reshape(-1),
            "n": block.n,
        }
    )


def _pearson(values: np.ndarray) -> np.ndarray:
    """(steps, triplets, scores) to (steps, scores, scores)."""
    exact = values.transpose(0, 2, 1).astype(np.float64)
    exact -= exact.mean(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        # scaled first, so that squares of small scores do not underflow
        exact /= np.abs(exact).max(axis=-1, keepdims=True)
    return _cosines(exact)


def _spearman(values: np.ndarray) -> np.ndarray:
    return _cosines(centred_ranks(np.ascontiguousarray(values.transpose(0, 2, 1))))


def _cosines(centred: np.ndarray) -> np.ndarray:
    """(steps, scores, triplets) to (steps, scores, scores)."""
    products = np.matmul(centred, centred.transpose(0, 2, 1))
    lengths = np.sqrt(np.einsum("sii->si", products))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = products / (lengths[:, :, None] * lengths[:, None, :])
    clipped: np.ndarray = np.clip(cosines, -1.0, 1.0)
    return clipped


def _kendall(values: np.ndarray) -> np.ndarray:
    one = _kendall_pairs if values.shape[1] <= _PAIRWISE else _kendall_sorted
    return np.stack([one(step) for step in values.astype(np.float64)])


def _kendall_pairs(step: np.ndarray) -> np.ndarray:
    """Tau-b of all scores at once: concordance is a product of the signs of all differences."""
    first, second = np.triu_indices(step.shape[0], k=1)
    signs = np.sign(step[first] - step[second])
    untied = np.sqrt((signs**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        tau: np.ndarray = signs.T @ signs / np.outer(untied, untied)
    return tau


def _kendall_sorted(step: np.ndarray) -> np.ndarray:
    """The same in n log n for many triplets, pair by pair of scores."""
    n = step.shape[1]
    tau = np.ones((n, n))
    for a, b in _pairs(n):
        tau[a, b] = tau[b, a] = stats.kendalltau(step[:, a], step[:, b]).statistic
    return tau


def _pairs(n: int) -> Iterator[tuple[int, int]]:
    return ((a, b) for a in range(n) for b in range(a + 1, n))


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "spearman": _spearman,
    "kendall": _kendall,
    "pearson": _pearson,
}
