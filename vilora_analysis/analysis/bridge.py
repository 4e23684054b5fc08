"""From sensitivity to snr by swapping one ingredient at a time: which swap moves the ranking?

The ingredients, and the scores with some of them swapped, are those of
:mod:`vilora_analysis.scores.bridge`. Curvature can be swapped only once horizon, norm and weight
are, since IVON's h is a long average of squared gradients; all other orders are possible. What a
swap does depends on what was swapped before it, so each is judged by its mean over all possible
orders: the Shapley value under precedence constraints (Faigle and Kern 1992), whose parts add up to
the whole way from sensitivity to snr.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cache, partial

import numpy as np
import pandas as pd

from vilora_analysis.aggregation import split_name
from vilora_analysis.analysis.correlation import METHODS
from vilora_analysis.analysis.engine import map_blocks
from vilora_analysis.analysis.shadow import unpruned_step
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, StepBlock
from vilora_analysis.log.reader import Steps

__all__ = [
    "SWAPS",
    "bridge",
    "bridge_aggregation",
    "bridge_swaps",
    "has_bridge",
]

SWAPS: tuple[str, ...] = ("uncertainty", "horizon", "norm", "weight", "curvature")
"""Ingredients in which sensitivity and snr differ."""

_BEFORE_CURVATURE = {"horizon", "norm", "weight"}

State = frozenset[str]


def has_bridge(run: Run) -> bool:
    """Whether a run recorded every score between sensitivity and snr."""
    return {_score(state) for state in _states()} <= set(run.score_names)


def bridge_swaps(run: Run, *, steps: Steps = None, method: str = "spearman") -> pd.DataFrame:
    """Follow every swap that is possible, from every score that it is possible at.

    Parameters
    ----------
    run
        A run with the family ``bridge`` among its scores.
    steps
        Recorded steps; by default the last that no pruning had touched, and if there is none, all.
    method
        Rank correlation to measure by: ``spearman`` or ``kendall``.

    Returns
    -------
    DataFrame
        One row a step, part (``all``, the triplet's score, or a factor's share of it) and swap:
        ``before`` and ``after``, the scores; ``moved``, 1 minus their correlation; ``nearer``, by
        how much the correlation with snr rises. NaN where a score is constant.

    Raises
    ------
    ConfigError
        If the method is unknown.
    LogError
        If a score is not in the log, or a step.
    """
    if method not in METHODS:
        raise ConfigError(f"method {method!r} is none of {', '.join(METHODS)}")
    names = [_score(state) for state in _states()]
    missing = sorted(set(names) - set(run.score_names))
    if missing:
        raise LogError(
            f"{run.path} has no {', '.join(missing)}; record the family with --scores default "
            'bridge, or instrument(scores=["default", "bridge"])'
        )
    parts = {"all": "", **{f: f".{f}" for f in "EAB" if f"score.snr.{f}" in run.columns}}
    columns = [f"score.{name}{suffix}" for suffix in parts.values() for name in names]
    swapped = partial(_swapped, parts=parts, method=method)
    frames = map_blocks(run, columns, _steps(run) if steps is None else steps, swapped)
    return pd.concat(frames, ignore_index=True)


def _swapped(block: StepBlock, parts: Mapping[str, str], method: str) -> pd.DataFrame:
    names = [_score(state) for state in _states()]
    frames = []
    for part, suffix in parts.items():
        stacked = np.stack([block.values[f"score.{n}{suffix}"] for n in names], axis=-1)
        found = METHODS[method](stacked.astype(np.float64))
        frames.append(_walked(block.steps, part, _states(), found))
    return pd.concat(frames, ignore_index=True)


def bridge(run: Run, *, steps: Steps = None, method: str = "spearman") -> pd.DataFrame:
    """Attribute the way from sensitivity to snr to the swaps.

    Parameters
    ----------
    run, steps, method
        As for :func:`bridge_swaps`.

    Returns
    -------
    DataFrame
        One row a step, part and swap: ``nearer``, its share of 1 minus the correlation of
        sensitivity and snr (``apart``), the mean over all orders, with the ``least`` and ``most``
        it is in any; ``moved``, the mean over all orders of how far it moves the ranking at all.
        The shares of one step and part add up to ``apart``.

    Raises
    ------
    ConfigError, LogError
        As :func:`bridge_swaps`.
    """
    swaps = bridge_swaps(run, steps=steps, method=method)
    weights = pd.Series(_weights(), name="weight").rename_axis(["before", "after"])
    weighted = swaps.merge(weights.reset_index(), on=["before", "after"])
    for column in ("nearer", "moved"):
        weighted[column] = weighted[column] * weighted["weight"]
    grouped = weighted.groupby(["step", "part", "swap"], sort=False)
    shares = grouped[["nearer", "moved"]].sum(min_count=1)
    plain = swaps.groupby(["step", "part", "swap"], sort=False)["nearer"]
    frame = shares.assign(least=plain.min(), most=plain.max()).reset_index()
    way = frame.groupby(["step", "part"], sort=False)["nearer"]
    frame["apart"] = way.transform(lambda shares: shares.sum(skipna=False))
    return frame[["step", "part", "swap", "nearer", "least", "most", "moved", "apart"]]


def bridge_aggregation(run: Run, *, steps: Steps = None) -> pd.DataFrame:
    """Swap how elements become one number a triplet, where the run recorded both ends otherwise.

    Parameters
    ----------
    run
        A run that recorded, for example, ``snr@sum`` and ``sensitivity@sum``.
    steps
        As for :func:`bridge_swaps`.

    Returns
    -------
    DataFrame
        One row a step and aggregation: Spearman of ``sensitivity`` and of ``snr`` with themselves
        aggregated as published (how far the swap moves each), and ``agreement``, of the two under
        this aggregation. The published one is the empty name.

    Raises
    ------
    LogError
        If snr or sensitivity is not in the log.
    """
    suffixes = [
        aggregation.suffix
        for name in run.score_names
        for base, aggregation in [split_name(name)]
        if base == "snr" and f"sensitivity{aggregation.suffix}" in run.score_names
    ]
    shown = ["", *[str(suffix) for suffix in suffixes]]
    ends = [f"score.{end}{suffix}" for suffix in shown for end in ("sensitivity", "snr")]
    chosen = _steps(run) if steps is None else steps
    beside = partial(_beside_published, ends=ends, suffixes=shown)
    found = map_blocks(run, [*dict.fromkeys(ends)], chosen, beside)
    rows = [row for block in found for row in block]
    frame = pd.DataFrame(rows, columns=["step", "aggregation", "sensitivity", "snr", "agreement"])
    return frame.drop_duplicates(["step", "aggregation"], ignore_index=True)


def _beside_published(
    block: StepBlock, ends: list[str], suffixes: list[str]
) -> list[tuple[int, str, float, float, float]]:
    """Rows of :func:`bridge_aggregation`."""
    stacked = np.stack([block.values[column] for column in ends], -1).astype(np.float64)
    return [
        (int(step), suffix, found[0, 2 * i], found[1, 2 * i + 1], found[2 * i, 2 * i + 1])
        for step, found in zip(block.steps, METHODS["spearman"](stacked), strict=True)
        for i, suffix in enumerate(suffixes)
    ]


def _steps(run: Run) -> Steps:
    step = unpruned_step(run)
    return None if step is None else [step]


@cache
def _states() -> tuple[State, ...]:
    """Sets of swaps that can have been made together."""
    sets = (frozenset(c) for n in range(6) for c in itertools.combinations(SWAPS, n))
    return tuple(s for s in sets if "curvature" not in s or s >= _BEFORE_CURVATURE)


def _score(state: State) -> str:
    """Name of the score with these swaps made."""
    if "curvature" in state:
        return "snr" if "uncertainty" in state else "bridge_snr_uncertainty"
    done = [swap for swap in SWAPS if swap in state]
    known = {(): "sensitivity", ("uncertainty",): "sensitivity_smoothed"}
    return known.get(tuple(done), "_".join(["bridge", *done]))


def _edges() -> Iterator[tuple[str, State, State]]:
    for state in _states():
        for swap in SWAPS:
            if swap not in state and state | {swap} in _states():
                yield swap, state, state | {swap}


def _weights() -> dict[tuple[str, str], float]:
    """Share of the possible orders that make a swap at this place."""
    orders = [
        order
        for order in itertools.permutations(SWAPS)
        if set(order[: order.index("curvature")]) >= _BEFORE_CURVATURE
    ]
    weights: dict[tuple[str, str], float] = {}
    for order in orders:
        for i in range(len(order)):
            key = (_score(frozenset(order[:i])), _score(frozenset(order[: i + 1])))
            weights[key] = weights.get(key, 0.0) + 1 / len(orders)
    return weights


def _walked(
    steps: np.ndarray, part: str, states: tuple[State, ...], found: np.ndarray
) -> pd.DataFrame:
    """Every swap, from correlations of all scores, shape (steps, scores, scores)."""
    at = {state: i for i, state in enumerate(states)}
    end = at[frozenset(SWAPS)]
    frames = [
        pd.DataFrame(
            {
                "step": steps,
                "part": part,
                "swap": swap,
                "before": _score(before),
                "after": _score(after),
                "moved": 1 - found[:, at[before], at[after]],
                "nearer": found[:, at[after], end] - found[:, at[before], end],
            }
        )
        for swap, before, after in _edges()
    ]
    return pd.concat(frames, ignore_index=True)
