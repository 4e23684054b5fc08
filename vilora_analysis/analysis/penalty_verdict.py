"""Penalty against budget in one sentence."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from vilora_analysis.errors import ConfigError

__all__ = ["penalty_verdict"]

_RISEN = 0.1  # of all triplets, from the lowest rank to the last


def penalty_verdict(frame: pd.DataFrame) -> str:
    """Say how the rank depends on the penalty, what a budget would have taken, and what it costs.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.rank_by_penalty` gives it, of one task.

    Returns
    -------
    str
        One sentence. Whether one of the two is better is said only where several seeds of a penalty
        and of a budget end at about the same rank; else that it cannot be told.

    Raises
    ------
    ConfigError
        If the frame has no run with a penalty.
    """
    l1 = frame[frame["allocation"] == "l1"]
    if l1.empty:
        raise ConfigError("the frame has no run with a penalty; train some with --allocation l1")
    budget = frame[frame["allocation"] == "budget"]
    parts = [_dependence(l1), *(_reached(l1, int(b)) for b in sorted(set(budget["budget"])))]
    return "; ".join([*parts, *_unsettled(l1), _compare(l1, budget)]) + "."


def _means(l1: pd.DataFrame) -> pd.Series:
    return l1.groupby("penalty")["rank"].mean().sort_index()


def _dependence(l1: pd.DataFrame) -> str:
    mean = _means(l1)
    n = int(l1["n_triplets"].iloc[0])
    if len(mean) == 1:
        return f"A penalty of {mean.index[0]:g} ends at rank {mean.iloc[0]:g} of {n}"
    said = (
        f"Over penalties from {mean.index[0]:g} to {mean.index[-1]:g} the rank goes from "
        f"{mean.iloc[0]:g} to {mean.iloc[-1]:g} of {n}"
    )
    rises = int((np.diff(mean) > 0).sum())
    return said + (f", not steadily (it rises {rises} times)" if rises else ", falling all the way")


def _reached(l1: pd.DataFrame, budget: int) -> str:
    """Between which of the penalties tried a budget lies, and how steep the rank is there."""
    mean = _means(l1)
    if (mean == budget).any():
        return f"a budget of {budget} is met by a penalty of {mean.index[mean == budget][0]:g}"
    steps = zip(mean.index.to_list(), mean.to_list(), strict=True)
    for (low, above), (high, below) in itertools.pairwise(steps):
        if min(above, below) < budget < max(above, below):
            doubled = abs(above - below) / np.log2(high / low)
            return (
                f"a budget of {budget} lies between {low:g} and {high:g}, where doubling the "
                f"penalty costs about {doubled:.0f} triplets"
            )
    return f"no penalty tried comes down to, or stays above, a budget of {budget}"


def _unsettled(l1: pd.DataFrame) -> list[str]:
    """Whether triplets came back in numbers: gradient noise above the penalty revives them."""
    risen = (l1["rank"] - l1["lowest"]) / l1["n_triplets"]
    if not (risen > _RISEN).any():
        return []
    row = l1.iloc[int(risen.to_numpy().argmax())]
    return [
        f"the kept set does not settle: at {row['penalty']:g} the rank fell to {row['lowest']:g} "
        f"and came back to {row['rank']:g}, by {row['revived']:g} revivals, with values that weigh "
        f"as {row['effective']:.1f} equal ones"
    ]


def _compare(l1: pd.DataFrame, budget: pd.DataFrame) -> str:
    """Results at about the same rank, within a tenth."""
    both = l1.dropna(subset=["value"]).merge(
        budget.dropna(subset=["value"]), how="cross", suffixes=("", "_budget")
    )
    near = both[(both["rank"] - both["rank_budget"]).abs() <= 0.1 * both["rank_budget"]]
    if near.empty:
        return "no run with a penalty ended near a budget's rank, so their results do not compare"
    row = near.iloc[(near["rank"] - near["rank_budget"]).abs().argsort()].iloc[0]
    pair = near[
        (near["penalty"] == row["penalty"]) & (near["budget_budget"] == row["budget_budget"])
    ]
    gaps = pair[pair["seed"] == pair["seed_budget"]]
    difference = (gaps["value"] - gaps["value_budget"]).to_numpy()
    said = (
        f"at about the same rank ({row['rank']:g} and {row['rank_budget']:g}) {row['metric']} is "
        f"{pair['value'].mean():.3f} with the penalty and {pair['value_budget'].mean():.3f} with "
        "the budget"
    )
    if len(difference) < 2 or not difference.std():
        return f"{said}, and from one seed which is better cannot be told"
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return f"{said}, over {len(difference)} seeds apart by {difference.mean():+.3f} ± {error:.3f}"
