"""What changes from decision to decision, of stretches of decisions that can be put together.

Everything here is a count, a maximum or a set, so that it does not matter where stretches end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vilora_analysis.analysis.shadow.deciding import Decisions
from vilora_analysis.analysis.shadow.sets import sets_at

__all__ = ["Changes", "changes_at", "join_changes"]


@dataclass(frozen=True)
class Changes:
    """What was kept and what changed at some neighbouring decisions, by name.

    Attributes
    ----------
    steps, budgets, sizes
        Arrays one after the other, of shape (steps,), (steps,) and (steps, names).
    pruned, revived
        How many left and entered, the same but for the first step; shape (steps, names).
    first, last
        What is kept at both ends, boolean of shape (names, triplets).
    latest
        Step at which each triplet was last pruned or revived after the first step, -1 if it was
        not; shape (names, triplets).
    far
        Last step at which the set lacks too much of the final one, -1 if none; shape (names,).
    """

    steps: tuple[np.ndarray, ...]
    budgets: tuple[np.ndarray, ...]
    sizes: tuple[np.ndarray, ...]
    pruned: tuple[np.ndarray, ...]
    revived: tuple[np.ndarray, ...]
    first: np.ndarray
    last: np.ndarray
    latest: np.ndarray
    far: np.ndarray


def changes_at(
    block: Decisions, names: tuple[str, ...], end: np.ndarray | None, within: float
) -> Changes:
    """Count what changes within some decisions.

    Parameters
    ----------
    block
        The decisions.
    names
        What there are sets of.
    end
        The final sets, boolean of shape (names, triplets); None where nobody asks how far it is.
    within
        Share of the final set that may be lacking.
    """
    kept = sets_at(block, names).kept
    before, now = kept[:-1], kept[1:]
    return Changes(
        (block.steps,),
        (block.budgets,),
        (_count(kept),),
        (_count(before & ~now),),
        (_count(now & ~before),),
        kept[0],
        kept[-1],
        _latest(now != before, block.steps[1:]),
        _far(block.steps, kept, end, within),
    )


def join_changes(a: Changes, b: Changes) -> Changes:
    """Put together two neighbouring stretches, the earlier first."""
    changed = a.last != b.first
    between = np.where(changed, np.int32(b.steps[0][0]), a.latest)
    return replace(
        b,
        steps=a.steps + b.steps,
        budgets=a.budgets + b.budgets,
        sizes=a.sizes + b.sizes,
        pruned=(*a.pruned, _count(a.last & ~b.first)[None], *b.pruned),
        revived=(*a.revived, _count(b.first & ~a.last)[None], *b.revived),
        first=a.first,
        latest=np.where(b.latest >= 0, b.latest, between),
        far=np.maximum(a.far, b.far),
    )


def _count(kept: np.ndarray) -> np.ndarray:
    counted: np.ndarray = kept.sum(axis=-1, dtype=np.int32)
    return counted


def _latest(changed: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The last step at which each changed, -1 for none; steps lie along the first axis."""
    found = np.full(changed.shape[1:], -1, dtype=np.int32)
    for at, step in zip(changed, steps.tolist(), strict=True):  # no array of all steps of numbers
        found[at] = step
    return found


def _far(steps: np.ndarray, kept: np.ndarray, end: np.ndarray | None, within: float) -> np.ndarray:
    if end is None:
        return np.full(kept.shape[1], -1, dtype=np.int64)
    far = _count(end & ~kept) > within * _count(end)
    found: np.ndarray = np.where(far, steps[:, None], -1).max(axis=0)
    return found
