"""Where does each method of the paper put its rank? The panels of Fig. 1, averaged over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from vilora_analysis.analysis.claims.distances import evenness, random_ranks
from vilora_analysis.analysis.claims.pairing import find_beds
from vilora_analysis.analysis.claims.trial import Trial
from vilora_analysis.analysis.ranks import ranks
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps

__all__ = ["PANELS", "panel_ranks", "panel_steps", "rank_entropy", "rank_panels"]

PANELS = (
    *("adam sensitivity", "ivon sensitivity", "ivon snr_abs"),
    *("ivon snr", "ivon mean_abs", "ivon inverse_std"),
)
"""The paper's order (Fig. 1, a to f): optimizer and criterion; other methods follow by name."""

_NAMES = {"adam": "Adam", "ivon": "IVON"}
_OWN = ["order", "panel", "system", "seed", "task"]
_OF_RANKS = ["run", "step", "module", "layer", "matrix", "rank", "init_rank"]


def panel_ranks(runs: Run | Iterable[Run], *, steps: Steps = -1) -> pd.DataFrame:
    """Count what each finished, pruned run keeps, and say which panel it belongs to.

    Parameters
    ----------
    runs
        Runs that differ in optimizer (with its settings), criterion and seed only. Of two runs of
        one method and seed the first counts.
    steps
        Steps to look at; the last recorded one by default.

    Returns
    -------
    DataFrame
        A row a run, step and module: order (place of the panel, from 0), panel (its label), system
        (optimizer and criterion, as ``ivon snr``), seed, task, run, step, module, layer, matrix,
        rank, init_rank. ``.attrs["notes"]`` says what was left out, and why.

    Raises
    ------
    ConfigError
        If the runs are of several tasks, models or budgets: their ranks have no common scale.
    LogError
        If no finished run was pruned, or a step is not there.
    """
    trials, notes = _comparable([runs] if isinstance(runs, Run) else runs)
    frames = []
    for at, system in enumerate(_ordered(trials)):
        for trial in trials[system]:
            counted = ranks(trial.run, steps=steps)
            frames.append(
                counted.assign(panel=_label(trial), system=system, order=at, task=trial.task)
            )
    frame = pd.concat(frames, ignore_index=True)
    there = sorted(frame["step"].unique())
    if isinstance(steps, int) and len(there) > 1:
        raise ConfigError(
            f"the runs' steps differ ({', '.join(map(str, there))}); name one that all have "
            "recorded, as in steps=100"
        )
    frame.attrs["notes"] = notes
    return frame[[*_OWN, *_OF_RANKS]]


def rank_panels(ranks: pd.DataFrame) -> pd.DataFrame:
    """Average the rank of every matrix over seeds: the cells of the paper's Fig. 1.

    Parameters
    ----------
    ranks
        As :func:`panel_ranks` gives it.

    Returns
    -------
    DataFrame
        A row a panel, step and module: order, panel, system, task, step, module, layer, matrix,
        rank (mean over seeds), sd (between seeds, n - 1; NaN for one), seeds (how many),
        init_rank.
    """
    keys = ["order", "panel", "system", "task", "step", "module"]
    groups = ranks.groupby(keys, sort=False)
    described = groups[["layer", "matrix", "init_rank"]].first()
    numbers = groups["rank"].agg(rank="mean", sd="std", seeds="count")
    frame = pd.concat([described, numbers], axis=1).reset_index()
    frame.attrs = dict(ranks.attrs)
    return frame[[*keys, "layer", "matrix", "rank", "sd", "seeds", "init_rank"]]


def rank_entropy(ranks: pd.DataFrame) -> pd.DataFrame:
    r"""How evenly each run spreads its rank over the adapted matrices, the pooler's included.

    Taken run by run: the mean of several seeds is more even than any of them.

    Parameters
    ----------
    ranks
        As :func:`panel_ranks` gives it.

    Returns
    -------
    DataFrame
        A row a panel and step: order, panel, system, step, entropy (mean over seeds of
        :math:`-\sum_m p_m \ln p_m / \ln M`, from 0 to 1), sd (between seeds), seeds, chance (the
        same of as many triplets drawn at random).
    """
    keys = ["order", "panel", "system", "step"]
    rows = []
    for key, of_panel in ranks.groupby(keys, sort=True):
        seeds = of_panel.groupby("seed", dropna=False)
        found = [evenness(of_seed["rank"].to_numpy()) for _, of_seed in seeds]
        sizes, budget = _sizes(of_panel)
        chance = np.mean([evenness(drawn) for drawn in random_ranks(sizes, budget)])
        sd = np.std(found, ddof=1) if len(found) > 1 else np.nan
        rows.append((*key, float(np.mean(found)), float(sd), len(found), float(chance)))
    return pd.DataFrame(rows, columns=[*keys, "entropy", "sd", "seeds", "chance"])


def panel_steps(runs: Iterable[Run], count: int = 6) -> list[int]:
    """Steps to show the way to the last ranks: from the first on, evenly along the falling budget.

    Parameters
    ----------
    runs
        Runs with the same schedule; what counts are the events of the first.
    count
        How many steps at most.

    Returns
    -------
    list of int
        Ascending, recorded by all runs, the first and the last of them included.

    Raises
    ------
    LogError
        If the runs have no recorded step in common.
    """
    runs = [*runs]
    common = sorted(set.intersection(*(set(run.steps.tolist()) for run in runs)) if runs else ())
    if not common:
        raise LogError("the runs have no recorded step in common; give runs of one schedule")
    events = runs[0].events().sort_values("step")
    within = events[events["step"].between(common[0], common[-1])]
    if within["budget"].nunique() < 2:
        at = np.linspace(0, len(common) - 1, min(count, len(common))).round().astype(int)
        return [common[i] for i in at]
    return _along(common, within["step"].to_numpy(), within["budget"].to_numpy(float), count)


def _along(common: Sequence[int], steps: np.ndarray, budgets: np.ndarray, count: int) -> list[int]:
    """Of the common steps those at which the budget is nearest to evenly spaced ones."""
    there = np.array(common)
    budget = budgets[np.clip(np.searchsorted(steps, there, side="right") - 1, 0, None)]
    wanted = np.linspace(budget[0], budget[-1], max(count - 1, 2))
    chosen = {int(there[np.argmin(np.abs(budget - value))]) for value in wanted}
    return sorted({common[0], *chosen, common[-1]})


def _comparable(runs: Iterable[Run]) -> tuple[dict[str, list[Trial]], list[str]]:
    """Runs of one bed, by system, and what was left out."""
    notes: list[str] = []
    beds, further = find_beds(_pruned(runs, notes))
    if len(beds) > 1:
        raise ConfigError(
            "the panels of one figure are of one task, model and budget, got runs of "
            f"{'; '.join(bed.label for bed in beds)}; give those of one"
        )
    arms = beds[0].arms
    return {system: _by_seed([*arm.values()]) for system, arm in arms.items()}, [*notes, *further]


def _by_seed(trials: list[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda trial: str(trial.seed).zfill(8))


def _pruned(runs: Iterable[Run], notes: list[str]) -> list[Run]:
    kept = []
    for run in runs:
        manifest = run.manifest
        if manifest.status != "finished":
            notes.append(f"{run.name} is left out: it is not finished")
        elif manifest.criterion is None or not manifest.n_triplets:
            notes.append(f"{run.name} is left out: nothing was pruned in it")
        else:
            kept.append(run)
    if not kept:
        raise LogError(
            "no finished run that was pruned, so no ranks to compare; `vilora sweep claims` makes "
            "a run of every method"
        )
    return kept


def _ordered(systems: Iterable[str]) -> Iterator[str]:
    """The paper's first, then the others by name."""
    there = set(systems)
    yield from (name for name in PANELS if name in there)
    yield from sorted(there.difference(PANELS))


def _label(trial: Trial) -> str:
    """Optimizer and score, as in the paper's Table I."""
    criterion = trial.run.manifest.criterion or "none"
    score = criterion if criterion == "sensitivity" else trial.run.labels.get(criterion, criterion)
    return f"{_NAMES.get(trial.optimizer, trial.optimizer)}, {score}"


def _sizes(ranks: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Rank of each matrix at the start, and how many triplets a run keeps."""
    first = ranks.drop_duplicates("module")  # the rows of one run
    return first["init_rank"].to_numpy(), int(first["rank"].sum())
