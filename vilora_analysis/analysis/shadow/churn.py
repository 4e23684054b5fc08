"""How steadily does a score decide, and when does its choice stand?"""

from __future__ import annotations

from functools import partial, reduce

import numpy as np
import pandas as pd

from vilora_analysis.analysis.shadow.changes import Changes, changes_at, join_changes
from vilora_analysis.analysis.shadow.deciding import map_decisions
from vilora_analysis.analysis.shadow.sets import kept_sets, set_names, wanted_budgets
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run

__all__ = ["all_changes", "churn", "last_change", "settling"]

_WITHIN = 0.05


def churn(run: Run) -> pd.DataFrame:
    r"""Count what changed between one decision and the next, for each score and the actual set.

    Parameters
    ----------
    run
        A recorded run.

    Returns
    -------
    DataFrame
        step, since, score, budget, n_kept, pruned, revived, churn, chance, cumulative, from the
        second recorded decision on. ``since`` is the recorded decision before; ``pruned`` and
        ``revived`` count the triplets that left and entered; ``churn`` is the share of the kept set
        that was not kept before, :math:`|K_t \setminus K_{t-1}| / |K_t|`, which a falling budget
        alone leaves at 0 and which an empty set does not have; ``chance`` is what it would be if
        each decision were drawn at random; ``cumulative`` is its sum so far. The score ``kept`` is
        what the run kept.

    Raises
    ------
    LogError
        As :func:`kept_sets`.
    """
    return _churn(run, _changes(run))


def last_change(run: Run) -> pd.DataFrame:
    """Say when each triplet was last pruned or revived, by each score and in fact.

    Parameters
    ----------
    run
        A recorded run.

    Returns
    -------
    DataFrame
        score, module, matrix, layer, k, kept (at the last recorded decision), last_change: the
        recorded decision at which that last changed, missing for what was kept throughout.

    Raises
    ------
    LogError
        As :func:`kept_sets`.
    """
    return _last_change(run, _changes(run))


def settling(run: Run, *, within: float = _WITHIN) -> pd.DataFrame:
    r"""Say from when on each score keeps what it keeps in the end.

    A set is as near as :math:`|K_T \setminus K_t| / |K_T|`, the share of the final set that it
    lacks: that the budget was larger then does not count.

    Parameters
    ----------
    run
        A recorded run.
    within
        How near is near enough, a share.

    Returns
    -------
    DataFrame
        score, settled (the recorded decision from which on the set stays as near), final_step,
        n_kept, within. The score ``kept`` is what the run kept.

    Raises
    ------
    ConfigError
        If ``within`` is not a share.
    LogError
        As :func:`kept_sets`.
    """
    if not 0 <= within <= 1:
        raise ConfigError(f"within is a share, expected 0 to 1, got {within:g}; 5% is 0.05")
    return _settling(run, _changes(run, _end(run), within), within)


def all_changes(run: Run) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """:func:`churn`, :func:`settling` and :func:`last_change`, of one reading of the log.

    Raises
    ------
    LogError
        As :func:`kept_sets`.
    """
    found = _changes(run, _end(run), _WITHIN)
    return _churn(run, found), _settling(run, found, _WITHIN), _last_change(run, found)


def _end(run: Run) -> np.ndarray:
    (end,) = kept_sets(run, steps=-1)
    last: np.ndarray = end.kept[0]
    return last


def _changes(run: Run, end: np.ndarray | None = None, within: float = 1.0) -> Changes:
    names = set_names(run, None)
    at = partial(changes_at, names=names, end=end, within=within)
    return reduce(join_changes, map_decisions(run, wanted_budgets(run), at, join_changes))


def _churn(run: Run, found: Changes) -> pd.DataFrame:
    names = set_names(run, None)
    steps, budgets = np.concatenate(found.steps), np.concatenate(found.budgets)
    sizes = np.concatenate(found.sizes).astype(np.int64)
    pruned, revived = (np.concatenate(x).astype(np.int64) for x in (found.pruned, found.revived))
    share = np.where(sizes[1:] > 0, revived / np.maximum(sizes[1:], 1), np.nan)
    columns = {
        "step": np.repeat(steps[1:], len(names)),
        "since": np.repeat(steps[:-1], len(names)),
        # taken from strings that are one column already: there may be millions
        "score": pd.Series(names).iloc[np.tile(range(len(names)), len(pruned))].array,
        "budget": np.repeat(budgets[1:], len(names)),
        "n_kept": sizes[1:].ravel(),
        "pruned": pruned.ravel(),
        "revived": revived.ravel(),
        "churn": share.ravel(),
        "chance": (1 - sizes[:-1] / found.first.shape[1]).ravel(),
        "cumulative": np.nan_to_num(share).cumsum(axis=0).ravel(),
    }
    # there may be millions of rows: held once
    return pd.DataFrame(columns, copy=False)


def _last_change(run: Run, found: Changes) -> pd.DataFrame:
    # all were kept before the first decision
    at_first = np.where(found.first, -1, found.steps[0][0])
    latest = np.where(found.latest >= 0, found.latest, at_first)
    frames = []
    for i, name in enumerate(set_names(run, None)):
        steps = pd.Series(latest[i], dtype="Int64").mask(latest[i] < 0)
        frames.append(run.modules.assign(score=name, kept=found.last[i], last_change=steps))
    order = ["score", *run.modules.columns, "kept", "last_change"]
    return pd.concat(frames, ignore_index=True)[order]


def _settling(run: Run, found: Changes, within: float) -> pd.DataFrame:
    steps = np.concatenate(found.steps)
    # at the last decision none is far
    settled = steps[np.searchsorted(steps, found.far, side="right")]
    columns = {"score": set_names(run, None), "settled": settled, "final_step": steps[-1]}
    sizes = found.last.sum(axis=-1)
    return pd.DataFrame(columns | {"n_kept": sizes, "within": within})
