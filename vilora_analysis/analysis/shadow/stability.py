"""Does a score keep the same triplets when only the seed changes?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.shadow.agreement import beyond_chance, jaccard, random_jaccard
from vilora_analysis.analysis.shadow.sets import KeptSets, kept_sets
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run

__all__ = ["stability"]

_OWN = {"seed", "out", "resume"}  # settings that seeds of one system differ in


def stability(runs: Iterable[Run]) -> pd.DataFrame:
    r"""Compare the final kept sets of several seeds, score by score.

    Parameters
    ----------
    runs
        Runs of one system: the same settings but for the seed.

    Returns
    -------
    DataFrame
        score, measure, runs, pairs, n, value (mean over the pairs), lowest, highest, chance,
        corrected. ``measure`` is ``kept`` or ``pruned``, Jaccard's index of the sets of
        (module, k); or ``ranks``, the share of the rank that goes to the same modules,
        :math:`2 \sum_m \min(r_m, r'_m) / \sum_m (r_m + r'_m)` (Bray and Curtis 1957).
        ``chance`` and ``corrected`` are as for :func:`overlap`. The score ``kept`` is what the
        runs kept.

    Raises
    ------
    ConfigError
        If there are fewer than two runs, a seed is there twice, or modules, settings, or the steps
        of the last decisions differ.
    LogError
        As :func:`kept_sets`.

    Notes
    -----
    A module's triplets start from random numbers, and which of them is the first means nothing:
    with another seed, :math:`k` is another triplet. Only ``ranks`` does not depend on it. Sets of
    (module, k) are alike beyond chance as far as modules keep more or less than others, and no
    further, unless the runs began with the same adapter.
    """
    chosen = list(runs)
    _refuse_unlike(chosen)
    ends = [next(kept_sets(run, steps=-1)) for run in chosen]
    if len({int(end.steps[0]) for end in ends}) > 1:
        listed = ", ".join(f"{r.name} {e.steps[0]}" for r, e in zip(chosen, ends, strict=True))
        raise ConfigError(
            f"the last recorded decisions are at different steps: {listed}; compare finished runs"
        )
    ranks = [module.rank for module in chosen[0].manifest.modules]
    common = [name for name in ends[0].names if all(name in end.names for end in ends)]
    rows = [row for name in common for row in _rows(name, ends, ranks)]
    return pd.DataFrame(rows)


def _rows(name: str, ends: Sequence[KeptSets], ranks: list[int]) -> Iterator[dict[str, Any]]:
    sets = np.stack([end.kept[0, end.names.index(name)] for end in ends])
    a, b = (list(side) for side in zip(*itertools.combinations(range(len(sets)), 2), strict=True))
    counts = np.add.reduceat(np.pad(sets, ((0, 0), (0, 1))), _starts(ranks), axis=1)
    counts = np.where(np.array(ranks) > 0, counts, 0)
    compared = {
        "kept": _sets_alike(sets[a], sets[b]),
        "pruned": _sets_alike(~sets[a], ~sets[b]),
        "ranks": _ranks_alike(counts[a], counts[b], np.array(ranks)),
    }
    for measure, (value, chance) in compared.items():
        yield {
            "score": name,
            "measure": measure,
            "runs": len(sets),
            "pairs": len(a),
            "n": sets.shape[1],
            "value": float(value.mean()),
            "lowest": float(value.min()),
            "highest": float(value.max()),
            "chance": float(chance.mean()),
            "corrected": float(beyond_chance(value.mean(), chance.mean())),
        }


def _starts(ranks: list[int]) -> np.ndarray:
    starts: np.ndarray = np.cumsum([0, *ranks[:-1]])
    return starts


def _sets_alike(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes = a.sum(axis=1), b.sum(axis=1)
    return jaccard((a & b).sum(axis=1), *sizes), random_jaccard(a.shape[1], *sizes)


def _ranks_alike(a: np.ndarray, b: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shared rank of pairs, and what is expected of sets of the same sizes drawn at random."""
    totals = a.sum(axis=1), b.sum(axis=1)
    both = totals[0] + totals[1]
    chance = [_random_shared(ranks, int(x), int(y)) for x, y in zip(*totals, strict=True)]
    shared = np.minimum(a, b).sum(axis=1)
    value, expected = 2 * shared / np.maximum(both, 1), 2 * np.array(chance) / np.maximum(both, 1)
    return np.where(both == 0, 1.0, value), np.where(both == 0, 1.0, expected)


def _random_shared(ranks: np.ndarray, a: int, b: int) -> float:
    r"""Expected :math:`\sum_m \min(r_m, r'_m) = \sum_m \sum_x P(r_m \ge x) P(r'_m \ge x)`."""
    n, x = int(ranks.sum()), np.arange(int(ranks.max(initial=0)))
    more_a, more_b = (stats.hypergeom.sf(x, n, ranks[:, None], size) for size in (a, b))
    return float(np.sum(more_a * more_b))


def _refuse_unlike(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise ConfigError(f"stability compares seeds, expected at least two runs, got {len(runs)}")
    first = runs[0]
    for run in runs[1:]:
        if run.manifest.modules != first.manifest.modules:
            raise ConfigError(
                f"{run.name} and {first.name} adapt different modules ({_counted(run)} and "
                f"{_counted(first)}), so their triplets cannot be compared; give runs of one model"
            )
        if unlike := sorted(_differing(first, run)):
            raise ConfigError(
                f"{run.name} and {first.name} are not seeds of one system: they differ in "
                f"{', '.join(unlike)}; give runs that differ in their seed only"
            )
    seeds = [run.manifest.config.get("seed") for run in runs]
    twice = {seed for seed in seeds if seed is not None and seeds.count(seed) > 1}
    if twice:
        raise ConfigError(f"seed {', '.join(map(str, twice))} is there twice; give each once")


def _counted(run: Run) -> str:
    return f"{len(run.manifest.modules)} with {run.manifest.n_triplets} triplets"


def _differing(first: Run, other: Run) -> Iterator[str]:
    if first.manifest.criterion != other.manifest.criterion:
        yield "criterion"
    a, b = first.manifest.config, other.manifest.config
    for name in ({*a, *b} - _OWN) - {"criterion"}:
        if a.get(name) != b.get(name):
            yield name
