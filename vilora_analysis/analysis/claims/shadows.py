"""What every score of one run would have kept in the end, asked before anything was pruned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vilora_analysis.analysis.shadow import kept_sets, unpruned_step
from vilora_analysis.analysis.shadow.agreement import beyond_chance, jaccard, random_jaccard
from vilora_analysis.log import Run

__all__ = ["Shadow", "by_matrix", "overlap_beyond_chance", "read_shadow"]


@dataclass(frozen=True)
class Shadow:
    """Choices of the scores at one step.

    Attributes
    ----------
    step
        The last recorded one that no pruning had touched.
    scores
        By name, shape (triplets,).
    kept
        By name the set that the score would keep at the run's last budget, shape (triplets,).
    ranks
        By name how many of them lie in each adapted matrix.
    sizes
        Triplets of each matrix.
    """

    step: int
    scores: Mapping[str, np.ndarray]
    kept: Mapping[str, np.ndarray]
    ranks: Mapping[str, np.ndarray]
    sizes: np.ndarray

    def has(self, *names: str) -> bool:
        """Whether these scores were recorded."""
        return all(name in self.kept for name in names)

    def overlap(self, a: str, b: str) -> float:
        """Jaccard's index of two kept sets: 0 as random ones, 1 identical."""
        return overlap_beyond_chance(self.kept[a], self.kept[b])


def overlap_beyond_chance(a: np.ndarray, b: np.ndarray) -> float:
    """Jaccard's index of two sets, as a share of the way from random ones to identity.

    Examples
    --------
    >>> overlap_beyond_chance(np.array([True, False]), np.array([True, False]))
    1.0
    """
    sizes = np.array([a.sum()]), np.array([b.sum()])
    value = jaccard(np.array([(a & b).sum()]), *sizes)
    return float(beyond_chance(value, random_jaccard(len(a), *sizes))[0])


def read_shadow(run: Run) -> Shadow | None:
    """Take the shadows of a run that pruned; None without a decision or an untouched step.

    Raises
    ------
    LogError
        If a score is not finite.
    """
    step, events = unpruned_step(run), run.events()
    if step is None or events.empty or not run.score_names:
        return None
    (sets,) = kept_sets(run, step, budget=int(events["budget"].iloc[-1]))
    rows = run.triplets([f"score.{name}" for name in run.score_names], step)
    sizes = np.array([module.rank for module in run.manifest.modules])
    kept = dict(zip(sets.names, sets.kept[0], strict=True))
    return Shadow(
        step,
        {name: rows[f"score.{name}"].to_numpy(dtype=float) for name in run.score_names},
        kept,
        {name: by_matrix(chosen, sizes) for name, chosen in kept.items()},
        sizes,
    )


def by_matrix(kept: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """How many kept triplets lie in each matrix; triplets stand matrix by matrix.

    Examples
    --------
    >>> by_matrix(np.array([True, True, False]), np.array([2, 0, 1]))
    array([2., 0., 0.])
    """
    matrix = np.repeat(np.arange(len(sizes)), sizes)
    counts: np.ndarray = np.bincount(matrix, weights=kept, minlength=len(sizes))
    return counts
