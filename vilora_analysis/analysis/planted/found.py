r"""How much of the planted rank would each score keep, at the right budget and around it?

Which triplet of a module carries the planted update means nothing: any basis of it is as good. So
ranks are counted. With :math:`p_m` planted in module m and :math:`k_m` of its triplets among the
highest of a score, :math:`\min(k_m, p_m)` are found there, and

.. math:: \text{precision} = \frac{\sum_m \min(k_m, p_m)}{\sum_m k_m}, \qquad
          \text{recall} = \frac{\sum_m \min(k_m, p_m)}{\sum_m p_m}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vilora_analysis.analysis.planted.answers import (
    CHANCE,
    ORACLE,
    Answers,
    answers,
    has_planted,
)
from vilora_analysis.analysis.planted.chance import chance_of_finding, expected_found
from vilora_analysis.analysis.shadow.sets import highest
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps

__all__ = [
    "CHANCE",
    "MULTIPLES",
    "ORACLE",
    "has_planted",
    "planted_found",
    "planted_ranks",
]

MULTIPLES: tuple[float, ...] = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Budgets, as multiples of the total planted rank."""

_PLANTED = "planted"


def planted_found(
    runs: Run | Iterable[Run], *, multiples: Sequence[float] = MULTIPLES, steps: Steps = -1
) -> pd.DataFrame:
    """Count how much of the planted rank each score keeps.

    Parameters
    ----------
    runs
        Runs of ``vilora planted``, of any number of seeds.
    multiples
        Budgets, as multiples of the total planted rank; 1 is the budget of one who knows it.
    steps
        Recorded steps to ask at; the last by default.

    Returns
    -------
    DataFrame
        One row a run, step, score and multiple: run, seed, step, score, multiple, ``budget``
        (triplets kept), ``planted`` (total planted rank), ``found`` (planted ranks among what is
        kept), ``precision`` (found over budget), ``recall`` (found over planted), ``f1`` (their
        harmonic mean), and ``p``, the exact probability that a random choice finds as much.
        Beside the recorded scores, ``oracle`` ranks the triplets by the rise of the held-out loss
        without each (at the last step only: it was asked about the trained student), and
        ``chance`` is the exact expectation under random selection.

    Raises
    ------
    LogError
        If there is no run, or nothing was planted in one.
    ConfigError
        If a budget is not positive.
    """
    if not multiples or min(multiples) <= 0:
        raise ConfigError(f"multiples {tuple(multiples)} must be greater than 0")
    chosen = [runs] if isinstance(runs, Run) else list(runs)
    if not chosen:
        raise LogError("no run to count in; make some with: vilora planted")
    rows = [row for run in chosen for row in _rows(answers(run, steps), multiples)]
    return pd.DataFrame(rows)


def planted_ranks(
    run: Run, scores: Sequence[str] | None = None, *, multiple: float = 1.0
) -> pd.DataFrame:
    """Rank of every module: planted, and among the highest of each score at the last step.

    Returns
    -------
    DataFrame
        One row a module and source: module, matrix, layer, ``source`` (``planted``, ``oracle``, or
        a score), ``rank``.
    """
    found = answers(run)
    budget = _budget(found, multiple)
    kept = {
        name: _counts(values, budget, found) for name, values in found.said(len(found.steps) - 1)
    }
    names = kept if scores is None else [ORACLE, *scores]
    table = {_PLANTED: found.planted, **{name: kept[name] for name in names}}
    modules = run.modules[["module", "matrix", "layer"]].drop_duplicates("module")
    parts = [modules.assign(source=name, rank=ranks) for name, ranks in table.items()]
    return pd.concat(parts, ignore_index=True)


def _rows(found: Answers, multiples: Sequence[float]) -> Iterator[dict[str, Any]]:
    for multiple in multiples:
        budget = _budget(found, multiple)
        by_chance = expected_found(found.ranks, found.planted, budget)
        # from the right, so that small probabilities are not what is left of 1
        at_least = np.cumsum(chance_of_finding(found.ranks, found.planted, budget)[::-1])[::-1]
        for at, step in enumerate(found.steps.tolist()):
            counted = [
                (name, int(np.minimum(_counts(values, budget, found), found.planted).sum()))
                for name, values in found.said(at)
            ]
            for name, count in [*counted, (CHANCE, by_chance)]:
                yield {
                    "run": found.run,
                    "seed": found.seed,
                    "step": step,
                    "score": name,
                    "multiple": multiple,
                    "budget": budget,
                    "planted": found.total,
                    "found": float(count),
                    "precision": count / budget,
                    "recall": count / found.total,
                    "f1": 2 * count / (budget + found.total),
                    "p": np.nan if name == CHANCE else float(at_least[int(count)]),
                }


def _budget(found: Answers, multiple: float) -> int:
    return max(1, min(round(multiple * found.total), int(found.ranks.sum())))


def _counts(values: np.ndarray, budget: int, found: Answers) -> np.ndarray:
    """Triplets of each module among the highest, shape (modules,)."""
    kept = highest(values, np.array(budget))
    counts: np.ndarray = np.add.reduceat(kept.astype(np.int64), found.starts)
    return counts
