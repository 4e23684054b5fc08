"""Who would have been kept: every recorded score, at every recorded decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import add

import numpy as np
import pandas as pd

from vilora_analysis.analysis.shadow.deciding import Decisions, map_decisions
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps
from vilora_analysis.log.selection import select

__all__ = [
    "ACTUAL",
    "KeptSets",
    "decisions",
    "has_shadow",
    "highest",
    "kept_sets",
    "places",
    "set_names",
    "sets_at",
    "unpruned_step",
    "wanted_budgets",
]

ACTUAL = "kept"
"""Name that the set kept by the run itself goes by, beside those of the scores."""


@dataclass(frozen=True)
class KeptSets:
    """What some decisions would have kept.

    Attributes
    ----------
    steps, budgets
        Shape (steps,).
    names
        The scores, and :data:`ACTUAL` last where the budget is the decision's own.
    kept
        Boolean of shape (steps, names, triplets); triplets stand as in the manifest.
    """

    steps: np.ndarray
    budgets: np.ndarray
    names: tuple[str, ...]
    kept: np.ndarray


def places(values: np.ndarray) -> np.ndarray:
    """Place of each value along the last axis: 0 for the highest, equal ones by position.

    Examples
    --------
    >>> places(np.array([1.0, 2.0, 2.0, 3.0]))
    array([3, 1, 2, 0])
    """
    order = np.argsort(-values, axis=-1, kind="stable")
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.arange(values.shape[-1]), axis=-1)
    return found


def highest(values: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """Keep the highest of the last axis, the allocator's exact rule.

    Parameters
    ----------
    values
        Finite, any leading shape.
    budgets
        How many to keep, of the leading shape; anything beyond either end is clipped.

    Returns
    -------
    ndarray
        Boolean, True where kept; of equal values the earlier stays.

    Examples
    --------
    >>> highest(np.array([1.0, 2.0, 2.0, 3.0]), np.array(2))
    array([False,  True, False,  True])
    """
    n = values.shape[-1]
    asked = np.clip(np.asarray(budgets), 0, n)[..., None]
    # the lowest that stays; sorting the values alone is several times faster than their places
    last = np.take_along_axis(np.sort(values, axis=-1), np.clip(n - asked, 0, n - 1), axis=-1)
    above, equal = values > last, values == last
    room = asked - above.sum(axis=-1, keepdims=True)
    kept: np.ndarray = above | (equal & (equal.cumsum(axis=-1, dtype=np.int32) <= room))
    return kept


def decisions(run: Run) -> pd.Series:
    """Budget by step, of the decisions whose step was recorded; ascending."""
    events = run.events().drop_duplicates("step", keep="last")
    budgets = events.set_index("step")["budget"].astype(np.int64)
    recorded = np.intersect1d(budgets.index.to_numpy(dtype=np.int64), run.steps)
    return budgets.loc[recorded]


def has_shadow(run: Run) -> bool:
    """Whether a run recorded at least one decision and two scores to compare at it."""
    return len(run.score_names) > 1 and len(decisions(run)) > 0


def unpruned_step(run: Run) -> int | None:
    """Last recorded step whose scores no pruning had touched yet; None if there is none.

    The first decision is one: what it prunes is set to zero after the scores are taken.
    """
    decided = run.events()["step"]
    first = decided.min() if len(decided) else np.inf
    untouched = run.steps[run.steps <= first]
    return int(untouched[-1]) if len(untouched) else None


def kept_sets(run: Run, steps: Steps = None, *, budget: int | None = None) -> Iterator[KeptSets]:
    r"""Walk over the decisions, with what each score would have kept.

    A score's set are the :math:`b_t` triplets of highest score, :math:`b_t` being the budget of
    step t, and of equal scores the earlier triplet. The criterion's set is the run's own, unless
    the run broke ties by the published rule.

    Parameters
    ----------
    run
        A recorded run.
    steps
        Decisions to look at; all recorded ones if None, negative numbers count from the last.
    budget
        Another budget, the same for all steps. Any recorded step can then be looked at, of a run
        that never pruned too, and there is no :data:`ACTUAL` to compare with.

    Yields
    ------
    KeptSets
        Some decisions at a time, in their order, so that memory does not grow with the run.

    Raises
    ------
    LogError
        If no score or no decision was recorded, or none at a step asked for; if a score is not
        finite.
    """
    listed = partial(_listed, names=set_names(run, budget))
    lists = map_decisions(run, wanted_budgets(run, steps, budget), listed, add)
    return chain.from_iterable(lists)


def _listed(block: Decisions, names: tuple[str, ...]) -> list[KeptSets]:
    return [sets_at(block, names)]


def sets_at(block: Decisions, names: tuple[str, ...]) -> KeptSets:
    """What each score, and the run itself if its name is the last, keeps at some decisions."""
    sets = highest(block.scores, block.budgets[:, None])
    if names[-1] == ACTUAL:
        sets = np.concatenate([sets, block.kept[:, None]], axis=1)
    return KeptSets(block.steps, block.budgets, names, sets)


def set_names(run: Run, budget: int | None) -> tuple[str, ...]:
    """What there are sets of, in their order."""
    return run.score_names if budget is not None else (*run.score_names, ACTUAL)


def wanted_budgets(run: Run, steps: Steps = None, budget: int | None = None) -> pd.Series:
    """Budget by step, of the decisions asked for; see :func:`kept_sets`."""
    known = decisions(run) if budget is None else pd.Series(budget, index=run.steps, dtype=np.int64)
    if not run.score_names or known.empty:
        raise LogError(f"{run.path} has no shadow allocation: {_why_none(run)}")
    there = known.index.to_numpy()
    wanted = select(steps, lambda: there)
    missing = sorted(wanted.named - set(there.tolist()))
    if missing:
        kind = "decision" if budget is None else "scores"
        raise LogError(
            f"{run.path} has no recorded {kind} at step {', '.join(map(str, missing))}; there are "
            f"{len(there)} steps with any, between {there[0]} and {there[-1]}"
        )
    return known[wanted.mask(there)]


def _why_none(run: Run) -> str:
    if not run.score_names:
        return "no score was recorded; name some with scores=[...]"
    events = run.events()
    if not len(run.steps):
        return "no step was recorded"
    if events.empty:
        return (
            "nothing was decided, as without a criterion or with LoRA; give a budget to ask what "
            "each score would have kept"
        )
    return (
        f"none of its {len(events)} decisions fell on a recorded step, one in "
        f"{run.manifest.every}; record every step, or a divisor of the steps between decisions"
    )
