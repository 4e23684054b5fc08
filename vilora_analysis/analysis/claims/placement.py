"""Claims about where the rank goes, by the ranks that runs end with: C5 and C6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from vilora_analysis.analysis.claims.definition import RUNS, Options, Question
from vilora_analysis.analysis.claims.distances import distance, evenness, excess, random_ranks
from vilora_analysis.analysis.claims.pairing import Bed
from vilora_analysis.analysis.claims.providing import lacking, provide

__all__ = ["RANK", "evenly", "resemblance"]

RANK = "% of rank"
_RANK_MARGIN = 2.0
_OTHERS = ("snr", "snr_abs", "mean_abs", "sensitivity")


def resemblance(bed: Bed, options: Options) -> Iterator[Question]:
    """C5: snr places the rank as sensitivity does under IVON, and Adam's sensitivity elsewhere."""
    yield _apart(bed, "ivon sensitivity", "adam sensitivity", options)
    yield _nearer(bed)


def evenly(bed: Bed, options: Options) -> Iterator[Question]:
    """C6: pruned by 1/sigma, the rank is more evenly spread over matrices than by other scores."""
    needed = ("ivon inverse_std", "ivon mean_abs")
    others = [f"ivon {name}" for name in _OTHERS if bed.paired(needed[0], f"ivon {name}")]
    statement = "rank is more even over matrices by 1/sigma than by the other scores"
    if not others:
        yield Question(
            statement,
            RUNS,
            "superiority",
            "entropy",
            np.nan,
            missing=lacking(bed, *needed),
            remedy=provide(bed, *needed),
        )
        return
    trials = bed.paired(needed[0], *others) or bed.paired(needed[0], others[0])
    found = np.array([[evenness(trial.ranks) for trial in row] for row in trials])
    sizes = np.array([module.rank for module in trials[0][0].run.manifest.modules])
    chance = random_evenness(sizes, int(trials[0][0].ranks.sum()))
    said = ", ".join(
        f"{trial.run.manifest.criterion} {value:.3f}"
        for trial, value in zip(trials[0], found.mean(axis=0), strict=True)
    )
    yield Question(
        statement,
        RUNS,
        "superiority",
        "entropy",
        1 - chance,
        tuple(found[:, 0] - found[:, 1:].mean(axis=1)),
        remark=f"evenness {said}, random sets {chance:.3f}",
    )


def random_evenness(sizes: np.ndarray, budget: int) -> float:
    """Evenness expected of sets drawn at random."""
    return float(np.mean([evenness(ranks) for ranks in random_ranks(sizes, budget)]))


def _apart(bed: Bed, first: str, second: str, options: Options) -> Question:
    pairs = bed.paired(first, second)
    statement = f"rank of {first} lies elsewhere than that of {second}, beyond seeds"
    blank = Question(statement, RUNS, "superiority", RANK, _RANK_MARGIN)
    if len(pairs) < 2:
        why = lacking(bed, first, second) or "two seeds at least tell how far seeds are apart"
        return replace(blank, missing=why, remedy=provide(bed, first, second))
    a, b = ([trial.ranks for trial in side] for side in zip(*pairs, strict=True))
    same = 100 * np.mean([distance(x, y) for x, y in zip(a, b, strict=True)])
    return replace(
        blank,
        outcome=excess(a, b, options.alpha),
        remark=f"equal seeds are {same:.1f}% of rank apart",
    )


def _nearer(bed: Bed) -> Question:
    systems = ("ivon sensitivity", "ivon snr", "adam sensitivity")
    statement = (
        "ranks of sensitivity under IVON are nearer to snr's than to sensitivity's under Adam"
    )
    blank = Question(statement, RUNS, "superiority", RANK, _RANK_MARGIN)
    triples = bed.paired(*systems)
    if not triples:
        return replace(blank, missing=lacking(bed, *systems), remedy=provide(bed, *systems))
    near = np.array([distance(a.ranks, b.ranks) for a, b, _ in triples])
    far = np.array([distance(a.ranks, c.ranks) for a, _, c in triples])
    seeds = [a.ranks for a, _, _ in triples]
    between = [distance(x, y) for i, x in enumerate(seeds) for y in seeds[:i]]
    yardstick = f", seeds of one system {100 * np.mean(between):.1f}%" if between else ""
    return replace(
        blank,
        values=tuple(100 * (far - near)),
        remark=f"apart: snr {100 * near.mean():.1f}%, Adam {100 * far.mean():.1f}%{yardstick}",
    )
