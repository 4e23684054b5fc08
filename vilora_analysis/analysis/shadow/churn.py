"""How steadily does a score decide, and when does its choice stand?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from vilora_analysis.analysis.shadow.sets import KeptSets, decisions, kept_sets, set_names
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run

__all__ = ["churn", "last_change", "settling"]

_CHURN = (
    *("step", "since", "score", "budget", "n_kept"),
    *("pruned", "revived", "churn", "chance", "cumulative"),
)


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
    frames = []
    before: KeptSets | None = None
    for block in kept_sets(run):
        frames.append(_changes(block if before is None else _joined(before, block)))
        before = KeptSets(block.steps[-1:], block.budgets[-1:], block.names, block.kept[-1:])
    frame = pd.concat(frames, ignore_index=True)
    frame["cumulative"] = frame["churn"].fillna(0).groupby(frame["score"], sort=False).cumsum()
    return frame[list(_CHURN)]


def _joined(before: KeptSets, block: KeptSets) -> KeptSets:
    return KeptSets(
        np.concatenate([before.steps, block.steps]),
        np.concatenate([before.budgets, block.budgets]),
        block.names,
        np.concatenate([before.kept, block.kept]),
    )


def _changes(sets: KeptSets) -> pd.DataFrame:
    """From one decision to the next, within a block."""
    before, now = sets.kept[:-1], sets.kept[1:]
    n_scores, n = now.shape[1:]
    sizes = sets.kept.sum(axis=-1)
    revived = (now & ~before).sum(axis=-1)
    share = np.where(sizes[1:] > 0, revived / np.maximum(sizes[1:], 1), np.nan)
    columns = {
        "step": np.repeat(sets.steps[1:], n_scores),
        "since": np.repeat(sets.steps[:-1], n_scores),
        "score": pd.Series(sets.names).iloc[np.tile(range(n_scores), len(now))].array,
        "budget": np.repeat(sets.budgets[1:], n_scores),
        "n_kept": sizes[1:].ravel(),
        "pruned": (before & ~now).sum(axis=-1).ravel(),
        "revived": revived.ravel(),
        "churn": share.ravel(),
        "chance": (1 - sizes[:-1] / n).ravel(),
    }
    return pd.DataFrame(columns)


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
    names = set_names(run, None)
    kept = np.ones((len(names), run.manifest.n_triplets), dtype=bool)  # before the first decision
    latest = np.full(kept.shape, -1)
    for block in kept_sets(run):
        changed = block.kept != np.concatenate([kept[None], block.kept[:-1]])
        latest = np.maximum(latest, _latest(changed, block.steps))
        kept = block.kept[-1]
    frames = []
    for i, name in enumerate(names):
        steps = pd.Series(latest[i], dtype="Int64").mask(latest[i] < 0)
        frames.append(run.modules.assign(score=name, kept=kept[i], last_change=steps))
    order = ["score", *run.modules.columns, "kept", "last_change"]
    return pd.concat(frames, ignore_index=True)[order]


def _latest(changed: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The last step at which each changed, -1 for none; steps lie along the first axis."""
    stamped: np.ndarray = np.where(changed, steps[:, None, None], -1).max(axis=0)
    return stamped


def settling(run: Run, *, within: float = 0.05) -> pd.DataFrame:
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
    (end,) = kept_sets(run, steps=-1)
    sizes = end.kept[0].sum(axis=-1)
    far = -np.ones(len(end.names), dtype=np.int64)
    for block in kept_sets(run):
        missing = (end.kept & ~block.kept).sum(axis=-1)
        last = np.where(missing > within * sizes, block.steps[:, None], -1).max(axis=0)
        far = np.maximum(far, last)
    steps = decisions(run).index.to_numpy()
    settled = steps[np.searchsorted(steps, far, side="right")]  # at the last decision none is far
    return pd.DataFrame(
        {
            "score": end.names,
            "settled": settled,
            "final_step": end.steps[0],
            "n_kept": sizes,
            "within": within,
        }
    )
