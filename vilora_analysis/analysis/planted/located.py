"""Does a score put the planted modules before the others, whatever the ranks?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.planted.answers import CHANCE, Answers, answers
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps

__all__ = ["average_precision", "expected_average_precision", "planted_located", "roc_auc"]

_REDUCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda parts: parts.mean(-1),
    "max": lambda parts: parts.max(-1),
}


def planted_located(runs: Run | Iterable[Run], *, steps: Steps = -1) -> pd.DataFrame:
    """Measure how well each score tells planted modules from others.

    A module's score is the mean, or the maximum, of its triplets' scores.

    Parameters
    ----------
    runs
        Runs of ``vilora planted``.
    steps
        Recorded steps to ask at; the last by default.

    Returns
    -------
    DataFrame
        One row a run, step, score, reduction and measure: run, seed, step, score, ``reduce``
        (``mean``, ``max``), ``measure`` (``auc``, ``average_precision``), ``value``. The score
        ``chance`` is the exact expectation of a random order; ``oracle`` is there at the last step.

    Raises
    ------
    LogError
        If there is no run, or nothing was planted in one.
    """
    chosen = [runs] if isinstance(runs, Run) else list(runs)
    if not chosen:
        raise LogError("no run to look for modules in; make some with: vilora planted")
    return pd.DataFrame([row for run in chosen for row in _rows(answers(run, steps))])


def roc_auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive has the higher score, ties counting half (Mann and Whitney 1947).

    Parameters
    ----------
    score
        Shape (n,).
    positive
        Boolean, shape (n,).

    Returns
    -------
    float
        NaN if all are alike.

    Examples
    --------
    >>> roc_auc(np.array([3.0, 2.0, 1.0]), np.array([True, False, True]))
    0.5
    """
    n, others = int(positive.sum()), int((~positive).sum())
    if not n or not others:
        return float("nan")
    ranks = stats.rankdata(score)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * others))


def average_precision(score: np.ndarray, positive: np.ndarray) -> float:
    """Mean precision over the places of the positives; equal scores are taken together.

    Examples
    --------
    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])).__round__(4)
    0.8333
    """
    if not positive.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    hits = np.cumsum(positive[order])[ends]
    gained = np.diff(hits, prepend=0) / positive.sum()
    return float(np.sum(gained * hits / (ends + 1)))


def expected_average_precision(n: int, positives: int) -> float:
    r"""Average precision of a random order of n, in expectation.

    A positive at place i has on average :math:`(i - 1)(P - 1)/(n - 1)` others before it, so that
    :math:`E = \frac{1}{n} \sum_i \frac{1}{i} \bigl(1 + (i - 1)\frac{P - 1}{n - 1}\bigr)`.

    Examples
    --------
    >>> expected_average_precision(2, 1), expected_average_precision(5, 5)
    (0.75, 1.0)
    """
    places = np.arange(1, n + 1)
    others = (positives - 1) / (n - 1) if n > 1 else 0.0
    return float(np.mean((1 + (places - 1) * others) / places))


def _rows(found: Answers) -> Iterator[dict[str, Any]]:
    positive = found.planted > 0
    by_chance = {
        "auc": 0.5,
        "average_precision": expected_average_precision(len(positive), int(positive.sum())),
    }
    for at, step in enumerate(found.steps.tolist()):
        for reduce, reduction in _REDUCTIONS.items():
            key = {"run": found.run, "seed": found.seed, "step": step, "reduce": reduce}
            for name, values in found.said(at):
                parts = np.split(values, found.starts[1:])
                score = np.array([reduction(part) for part in parts])
                measured = {"auc": roc_auc, "average_precision": average_precision}
                for measure, compare in measured.items():
                    value = compare(score, positive)
                    yield {**key, "score": name, "measure": measure, "value": value}
            for measure, value in by_chance.items():
                yield {**key, "score": CHANCE, "measure": measure, "value": value}
