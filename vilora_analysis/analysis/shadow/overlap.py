"""How far would two scores have kept the same triplets?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from operator import add
from typing import Literal

import numpy as np
import pandas as pd

from vilora_analysis.analysis.shadow.agreement import (
    beyond_chance,
    jaccard,
    random_jaccard,
    random_rbo,
    rbo,
    rbo_tails,
    tail,
)
from vilora_analysis.analysis.shadow.deciding import Decisions, map_decisions
from vilora_analysis.analysis.shadow.sets import (
    ACTUAL,
    decisions,
    places,
    set_names,
    unpruned_step,
    wanted_budgets,
)
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps

__all__ = ["MEASURES", "final_overlap", "overlap"]

By = Literal["all", "matrix", "layer"]

MEASURES = ("kept", "pruned", "rbo")
"""What is compared: the sets kept, the sets pruned, the whole rankings."""

_OUTSIDE = "outside the layers"


def overlap(
    run: Run, *, by: By = "all", steps: Steps = None, budget: int | None = None, p: float = 0.98
) -> pd.DataFrame:
    r"""Compare what all pairs of scores would have kept, decision by decision.

    Parameters
    ----------
    run
        A recorded run.
    by
        Over all triplets with the budget of the decision; or within each kind of matrix, or each
        layer (by its number in the log, from 0), with the number that the run kept there.
    steps
        Decisions to look at; all recorded ones if None, negative numbers count from the last.
    budget
        Another budget than the decisions', see :func:`kept_sets`; over all triplets only.
    p
        Persistence of the rank-biased overlap. With 0.98 the first 50 places have 85% of the
        weight and the first 148 have 99%: it looks at who is important, the sets at who is not.

    Returns
    -------
    DataFrame
        step, group, measure, score_a, score_b, n, size_a, size_b, value, chance, corrected,
        p_value. ``measure`` says what ``value`` is: of ``kept`` and of ``pruned`` sets Jaccard's
        index, of ``rbo`` the extrapolated rank-biased overlap of the full rankings. ``chance`` is
        expected of random sets of these sizes, or of random rankings; ``corrected`` is
        (value - chance) / (1 - chance), NaN where nothing, or everything, was pruned. ``p_value``
        is of the hypergeometric test that the sets share more than random ones, NaN for ``rbo``.
        One of each pair may be ``kept``, the set that the run kept, which has no ranking.

    Raises
    ------
    ConfigError
        For an unknown grouping, a budget within groups, or a p outside 0 .. 1.
    LogError
        As :func:`kept_sets`.

    Notes
    -----
    Where two thirds are kept, two random sets have a Jaccard index of 1/2 already, and two random
    pruned sets one of 1/5; read ``value`` beside ``chance``. Equal values are ranked by position,
    as pruning does, so that two constant scores agree.

    What the run pruned looks small to every score from then on. For a comparison free of that, take
    the scores before any pruning, with the budget of the end, as :func:`final_overlap` does.
    """
    if by not in ("all", "matrix", "layer") or not 0 < p < 1:
        raise ConfigError(f"expected by all, matrix or layer, and 0 < p < 1; got {by}, p = {p:g}")
    if budget is not None and by != "all":
        raise ConfigError(f"a budget is one of all triplets, got one by {by}; leave out by")
    groups, names = list(_groups(run, by)), set_names(run, budget)
    of_block = partial(_of_block, names=names, groups=groups, by=by, p=p)
    found = map_decisions(run, wanted_budgets(run, steps, budget), of_block, add)
    frames = [frame for frames in found for frame in frames]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_COLUMNS)


def final_overlap(run: Run) -> pd.DataFrame:
    """Compare the scores at the last decision, and with that budget before anything was pruned.

    Parameters
    ----------
    run
        A recorded run.

    Returns
    -------
    DataFrame
        As :func:`overlap`, of all triplets: first the step of :func:`unpruned_step`, without the
        set that was kept; then the last recorded decision. If the first was not recorded, or is
        the last one, then that alone.

    Raises
    ------
    LogError
        As :func:`kept_sets`.
    """
    last = overlap(run, steps=-1)
    final = decisions(run).tail(1)
    first = unpruned_step(run)
    if first is None or first == final.index[0]:
        return last
    unpruned = overlap(run, steps=first, budget=int(final.iloc[0]))
    return pd.concat([unpruned, last], ignore_index=True)


_COLUMNS = (
    *("step", "group", "measure", "score_a", "score_b", "n", "size_a", "size_b"),
    *("value", "chance", "corrected", "p_value"),
)


def _groups(run: Run, by: By) -> Iterator[tuple[str, np.ndarray]]:
    if by == "all":
        yield "all", np.arange(run.manifest.n_triplets)
        return
    known = run.modules[by].astype("string").fillna(_OUTSIDE).to_numpy()
    for name in dict.fromkeys(known):
        yield str(name), np.flatnonzero(known == name)


def _of_block(
    block: Decisions,
    names: tuple[str, ...],
    groups: Sequence[tuple[str, np.ndarray]],
    by: By,
    p: float,
) -> list[pd.DataFrame]:
    return [
        frame
        for group, rows in groups
        for frame in _frames(names, _within(block, rows, by), group, p)
    ]


def _within(block: Decisions, rows: np.ndarray, by: By) -> Decisions:
    """The same decisions among some triplets only."""
    kept = block.kept[:, rows]
    budgets = block.budgets if by == "all" else kept.sum(axis=-1)
    return Decisions(block.steps, budgets, block.scores[..., rows], kept)


def _frames(
    names: tuple[str, ...], block: Decisions, group: str, p: float
) -> Iterator[pd.DataFrame]:
    ranked = places(block.scores)
    sets = ranked < block.budgets[:, None, None]
    if names[-1] == ACTUAL:
        sets = np.concatenate([sets, block.kept[:, None]], axis=1)
    for measure, chosen in (("kept", sets), ("pruned", ~sets)):
        yield _tidy(block.steps, group, measure, names, _compare_sets(chosen))
    n_scores = ranked.shape[1]
    if n_scores > 1:
        compared = _compare_rankings(ranked, p)
        yield _tidy(block.steps, group, "rbo", names[:n_scores], compared)


def _tidy(
    steps: np.ndarray,
    group: str,
    measure: str,
    names: tuple[str, ...],
    compared: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Columns of shape (steps, pairs) below each other."""
    a, b = np.triu_indices(len(names), k=1)
    keys = {
        "step": np.repeat(steps, len(a)),
        "group": group,
        "measure": measure,
        # taken from strings that are one column already: there may be millions
        "score_a": pd.Series(names).iloc[np.tile(a, len(steps))].array,
        "score_b": pd.Series(names).iloc[np.tile(b, len(steps))].array,
    }
    value, chance = compared["value"].ravel(), compared["chance"].ravel()
    found = {name: column.ravel() for name, column in compared.items()}
    corrected = {"corrected": beyond_chance(value, chance)}
    return pd.DataFrame({**keys, **found, **corrected})[list(_COLUMNS)]


def _compare_sets(sets: np.ndarray) -> dict[str, np.ndarray]:
    """From (steps, names, triplets) to (steps, pairs) of each column."""
    a, b = np.triu_indices(sets.shape[1], k=1)
    n = sets.shape[-1]
    numbers = sets.astype(np.float32)  # exact up to 2^24 triplets
    shared = np.matmul(numbers, numbers.transpose(0, 2, 1))[:, a, b].astype(np.int64)
    sizes = sets.sum(axis=-1)
    size_a, size_b = sizes[:, a], sizes[:, b]
    return {
        "n": np.full(shared.shape, n),
        "size_a": size_a,
        "size_b": size_b,
        "value": jaccard(shared, size_a, size_b),
        "chance": random_jaccard(n, size_a, size_b),
        "p_value": tail(n, shared, size_a, size_b),
    }


def _compare_rankings(ranked: np.ndarray, p: float) -> dict[str, np.ndarray]:
    a, b = np.triu_indices(ranked.shape[1], k=1)
    n = ranked.shape[-1]
    tails = rbo_tails(n, p).astype(np.float32)[ranked]
    values = [rbo(tails[:, i], tails[:, j], p) for i, j in zip(a, b, strict=True)]
    value = np.stack(values, axis=-1).astype(float)
    whole = np.full(value.shape, n)
    chance = np.full(value.shape, random_rbo(n, p))
    nothing = np.full(value.shape, np.nan)
    sizes = {"n": whole, "size_a": whole, "size_b": whole}
    return {**sizes, "value": value, "chance": chance, "p_value": nothing}
