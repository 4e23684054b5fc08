"""How steadily does a score decide, and when does its choice stand?"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

from vilora_analysis.analysis.shadow.sets import KeptSets, decisions, kept_sets, set_names
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run

__all__ = ["all_changes", "churn", "last_change", "settling"]

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
    return _folded(run, _Churn())[0]


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
    return _folded(run, _LastChange(run))[0]


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
    return _folded(run, _Settling(run, within))[0]


def all_changes(run: Run) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """:func:`churn`, :func:`settling` and :func:`last_change`, of one reading of the log.

    Raises
    ------
    LogError
        As :func:`kept_sets`.
    """
    changed, settled, latest = _folded(run, _Churn(), _Settling(run, 0.05), _LastChange(run))
    return changed, settled, latest


class _Fold(Protocol):
    """Takes in the decisions, some at a time, and gives a frame in the end."""

    def add(self, block: KeptSets) -> None: ...
    def frame(self) -> pd.DataFrame: ...


def _folded(run: Run, *folds: _Fold) -> list[pd.DataFrame]:
    for block in kept_sets(run):
        for fold in folds:
            fold.add(block)
    return [fold.frame() for fold in folds]


class _Churn:
    def __init__(self) -> None:
        self.frames: list[pd.DataFrame] = []
        self.before: KeptSets | None = None

    def add(self, block: KeptSets) -> None:
        self.frames.append(_changes(block if self.before is None else _joined(self.before, block)))
        self.before = KeptSets(block.steps[-1:], block.budgets[-1:], block.names, block.kept[-1:])

    def frame(self) -> pd.DataFrame:
        frame = pd.concat(self.frames, ignore_index=True)
        added = frame["churn"].fillna(0).groupby(frame["score"], sort=False)
        return frame.assign(cumulative=added.cumsum())[list(_CHURN)]


class _LastChange:
    def __init__(self, run: Run) -> None:
        self.modules, self.names = run.modules, set_names(run, None)
        self.kept = np.ones((len(self.names), run.manifest.n_triplets), dtype=bool)  # at first
        self.latest = np.full(self.kept.shape, -1)

    def add(self, block: KeptSets) -> None:
        changed = block.kept != np.concatenate([self.kept[None], block.kept[:-1]])
        self.latest = np.maximum(self.latest, _latest(changed, block.steps))
        self.kept = block.kept[-1]

    def frame(self) -> pd.DataFrame:
        frames = []
        for i, name in enumerate(self.names):
            steps = pd.Series(self.latest[i], dtype="Int64").mask(self.latest[i] < 0)
            frames.append(self.modules.assign(score=name, kept=self.kept[i], last_change=steps))
        order = ["score", *self.modules.columns, "kept", "last_change"]
        return pd.concat(frames, ignore_index=True)[order]


class _Settling:
    def __init__(self, run: Run, within: float) -> None:
        if not 0 <= within <= 1:
            raise ConfigError(f"within is a share, expected 0 to 1, got {within:g}; 5% is 0.05")
        (self.end,) = kept_sets(run, steps=-1)
        self.within, self.steps = within, decisions(run).index.to_numpy()
        self.sizes = self.end.kept[0].sum(axis=-1)
        self.far = -np.ones(len(self.end.names), dtype=np.int64)

    def add(self, block: KeptSets) -> None:
        missing = (self.end.kept & ~block.kept).sum(axis=-1)
        far = missing > self.within * self.sizes
        self.far = np.maximum(self.far, np.where(far, block.steps[:, None], -1).max(axis=0))

    def frame(self) -> pd.DataFrame:
        # at the last decision none is far
        settled = self.steps[np.searchsorted(self.steps, self.far, side="right")]
        columns = {"score": self.end.names, "settled": settled, "final_step": self.end.steps[0]}
        return pd.DataFrame(columns | {"n_kept": self.sizes, "within": self.within})
