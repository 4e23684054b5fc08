"""How long is a training step in each way, beside the published one, and where does it go?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from vilora_analysis.analysis.speed_rounds import Rounds, read_rounds, shares, variants_of

__all__ = ["PAPER_FASTER", "speed_effects", "speed_split", "speed_summary"]

PAPER_FASTER, _PAPER_IVON = 10.0, 2.0
"""Chen and Garner, section V.C: snr with IVON is 10% faster than sensitivity with Adam, "despite
the IVON itself being 2% slower than Adam"."""

_LESS_TIME = 100 * (1 - 1 / (1 + PAPER_FASTER / 100))

_Way = tuple[str, str, str]
_ADAM: _Way = ("adamw", "sensitivity", "peft")
_IVON: _Way = ("ivon", "sensitivity", "peft")
_SNR: _Way = ("ivon", "snr", "peft")
_ADAM_HERE: _Way = ("adamw", "sensitivity", "vilora")
_IVON_HERE: _Way = ("ivon", "sensitivity", "vilora")
_SNR_HERE: _Way = ("ivon", "snr", "vilora")
_EFFECTS: tuple[tuple[str, _Way, _Way, float], ...] = (
    ("optimizer", _ADAM, _IVON, -_PAPER_IVON),
    ("criterion", _IVON, _SNR, np.nan),
    ("paper's comparison", _ADAM, _SNR, _LESS_TIME),
    ("allocator", _SNR, _SNR_HERE, np.nan),
    ("all together", _ADAM, _SNR_HERE, np.nan),
    ("allocator, at sensitivity", _ADAM, _ADAM_HERE, np.nan),
    ("criterion, in this allocator", _IVON_HERE, _SNR_HERE, np.nan),
)

_WHEN = {"prunes": True, "between": False}


def speed_summary(
    frame: pd.DataFrame, allocate_every: int = 10, *, repeats: int = 2000, seed: int = 0
) -> pd.DataFrame:
    r"""Time of a step in each way, and its ratio to the published way's.

    Ratios are taken round by round, since steps of one round took the same batch one after the
    other: what disturbs the machine disturbs them alike. Of the ratios of each kind of step the
    median is taken; the average over an interval of :math:`d` steps, of which one prunes, is

    .. math:: \frac{\sum_a w_a b_a r_a}{\sum_a w_a b_a}, \quad w = (1/d, 1 - 1/d),

    with the median ratios r and the baseline's median times b. A variant that records one step in
    so many is averaged over both of its kinds likewise.

    Parameters
    ----------
    frame
        Steps as :class:`vilora_analysis.probes.speed.measure.Measured` holds them.
    allocate_every
        Steps between two prunings, d.
    repeats
        Of the bootstrap over rounds, within their kinds.
    seed
        Seed of it.

    Returns
    -------
    DataFrame
        Three rows a variant, ``when`` a step prunes, one ``between`` two that do, and the
        ``average``: what the variant is (``variant``, ``optimizer``, ``criterion``, ``allocator``,
        ``record_every``), ``steps`` measured, ``median_ms`` and quartiles ``low_ms``, ``high_ms``
        of the time; ``ratio`` to AdamW with sensitivity and PEFT's allocator, with the ends ``low``
        and ``high`` of its 95% interval.

    Raises
    ------
    ConfigError
        If that baseline, or a kind of step, is missing.
    """
    rounds = read_rounds(frame)
    drawn = rounds.resample(repeats, seed)
    rows = []
    for number, variant in enumerate(rounds.variants):
        relative = _relative(rounds, number, drawn)
        relative["average"] = _average(rounds, relative, drawn, allocate_every)
        times = _times(rounds, number, drawn, allocate_every)
        for when, ratio in relative.items():
            low, high = np.quantile(ratio[1:], [0.025, 0.975]) if repeats else (np.nan, np.nan)
            ends = {"ratio": ratio[0], "low": low, "high": high}
            rows.append({**variant, "when": when, **times[when], **ends})
    return pd.DataFrame(rows)


def speed_effects(
    frame: pd.DataFrame, allocate_every: int = 10, *, repeats: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """What each change contributes to the time of an average step.

    Parameters
    ----------
    frame, allocate_every, repeats, seed
        As in :func:`speed_summary`.

    Returns
    -------
    DataFrame
        A row a change: ``effect``, the variants it leads ``from`` and ``to``, ``percent`` less time
        in percent of the published way's, ``low`` and ``high`` of its 95% interval, and what the
        ``paper`` says, missing where it says nothing. ``optimizer``, ``criterion`` and
        ``allocator`` add up to ``all together``; the first two to the ``paper's comparison``.
    """
    rounds = read_rounds(frame)
    drawn = rounds.resample(repeats, seed)
    known = {
        (variant["optimizer"], variant["criterion"], variant["allocator"]): number
        for number, variant in enumerate(rounds.variants)
        if not variant["record_every"]
    }
    averages = {
        number: _average(rounds, _relative(rounds, number, drawn), drawn, allocate_every)
        for number in known.values()
    }
    rows = []
    for effect, start, end, paper in _EFFECTS:
        if start in known and end in known:
            before, after = known[start], known[end]
            gain = 100 * (averages[before] - averages[after])
            low, high = np.quantile(gain[1:], [0.025, 0.975])
            names = [rounds.variants[number]["variant"] for number in (before, after)]
            rows.append((effect, *names, gain[0], low, high, paper))
    columns = ["effect", "from", "to", "percent", "low", "high", "paper"]
    return pd.DataFrame(rows, columns=columns)


def speed_split(frame: pd.DataFrame, allocate_every: int = 10) -> pd.DataFrame:
    """Where the time of an average step goes.

    Means over the middle half of the steps of each kind, by their time: so the parts sum to the
    whole, and single disturbed steps do not count.

    Returns
    -------
    DataFrame
        A row a variant and phase, in the order of the columns ``seconds.PHASE`` (see
        :data:`vilora_analysis.probes.speed.stopwatch.PHASES`): what the variant is, ``phase``,
        ``ms``, and its ``share`` of the step.
    """
    frame = frame[frame["seams"].astype(bool)]
    phases = [name for name in frame.columns if name.startswith("seconds.")]
    rows = []
    for variant in variants_of(frame):
        steps = frame[frame["variant"] == variant["variant"]]
        kinds = [
            share * also * _middle(steps, phases, allocates=allocates, records=records)
            for allocates, share in shares(allocate_every)
            for records, also in shares(variant["record_every"])
        ]
        mean = np.sum(kinds, axis=0)
        for phase, seconds in zip(phases, mean, strict=True):
            part = {"phase": phase.removeprefix("seconds."), "ms": 1e3 * seconds}
            rows.append({**variant, **part, "share": seconds / mean.sum()})
    return pd.DataFrame(rows)


def _middle(
    steps: pd.DataFrame, phases: list[str], *, allocates: bool, records: bool
) -> np.ndarray:
    chosen = steps[(steps["allocates"] == allocates) & (steps["records"] == records)]
    ordered = chosen.sort_values("seconds", kind="stable")[phases].to_numpy(dtype=float)
    cut = len(ordered) // 4
    middle: np.ndarray = ordered[cut : len(ordered) - cut].mean(axis=0)
    return middle


def _relative(rounds: Rounds, number: int, drawn: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Ratio of a variant for each resample, when it prunes and between."""
    ratio = rounds.seconds[number] / rounds.seconds[rounds.baseline]
    return {
        when: np.sum(
            [
                share * np.median(ratio[chosen], axis=1)
                for share, chosen in rounds.strata(number, drawn, allocates=allocates)
            ],
            axis=0,
        )
        for when, allocates in _WHEN.items()
    }


def _average(
    rounds: Rounds, relative: dict[str, np.ndarray], drawn: list[np.ndarray], every: int
) -> np.ndarray:
    top: Any = 0.0
    bottom: Any = 0.0
    for when, allocates in _WHEN.items():
        share = dict(shares(every)).get(allocates, 0.0)
        ((_, chosen),) = rounds.strata(rounds.baseline, drawn, allocates=allocates)
        weight = share * np.median(rounds.seconds[rounds.baseline][chosen], axis=1)
        top, bottom = top + weight * relative[when], bottom + weight
    averaged: np.ndarray = top / bottom
    return averaged


def _times(
    rounds: Rounds, number: int, drawn: list[np.ndarray], every: int
) -> dict[str, dict[str, float]]:
    """Quartiles of the time in milliseconds, and how many steps they are of."""
    quartiles, steps = {}, {}
    for when, allocates in _WHEN.items():
        strata = list(rounds.strata(number, drawn, allocates=allocates))
        seconds = rounds.seconds[number]
        quartiles[when] = np.sum(
            [w * np.quantile(seconds[chosen[0]], [0.25, 0.5, 0.75]) for w, chosen in strata], axis=0
        )
        steps[when] = sum(chosen.shape[1] for _, chosen in strata)
    weights = dict(shares(every))
    quartiles["average"] = np.sum(
        [weights.get(allocates, 0.0) * quartiles[when] for when, allocates in _WHEN.items()], axis=0
    )
    steps["average"] = sum(steps.values())
    return {
        when: {
            "steps": steps[when],
            **dict(zip(("low_ms", "median_ms", "high_ms"), 1e3 * value, strict=True)),
        }
        for when, value in quartiles.items()
    }
