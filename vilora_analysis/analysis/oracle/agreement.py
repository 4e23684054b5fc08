"""Which score ranks the triplets as the oracle does, and what a perfect one would reach."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from vilora_analysis.analysis.oracle.effects import TARGETS, Found, read_found, resamples
from vilora_analysis.analysis.oracle.measures import measures
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run

__all__ = ["oracle_agreement", "oracle_reliability"]

_HALVES = 50
_PERMUTATIONS = 999
_COLUMNS = ("target", "score", "measure", "value", "low", "high", "chance", "p", "triplets")


def oracle_agreement(run: Run, *, share: float = 1 / 3, seed: int = 0) -> pd.DataFrame:
    """How each recorded score, at the last recorded step, ranks the triplets as the oracle does.

    Parameters
    ----------
    run
        A run that the oracle was asked about.
    share
        Share of the triplets that pruning would remove.
    seed
        Of the bootstrap over examples.

    Returns
    -------
    DataFrame
        One row a target (see :data:`TARGETS`), score and measure (``spearman``, ``kendall``,
        ``recall``): ``value`` with a 95% interval (``low``, ``high``: what other examples might
        have said of the same triplets), ``chance``, what a random score gets, and ``p``, the share
        of random orders of the triplets that agree as much (one-sided; it answers whether the score
        knows anything, which the interval does not). ``recall`` is the share of the triplets that
        stand lowest which the score also puts last. A constant score has no value.

    Raises
    ------
    ConfigError
        If ``share`` is not one.
    LogError
        If the oracle was not asked, or is not finished.

    Notes
    -----
    A resample adds the noise of the examples once more, which pulls every agreement towards 0: the
    interval is that of the resamples, moved so that their mean is the value found.
    """
    if not 0 < share < 1:
        raise ConfigError(f"share {share:g} is a share of the triplets; expected it within 0 and 1")
    found = read_found(run)
    scores = _scores(run, found)
    drawn = [found.loss[:, rows] for rows in resamples(found, seed)]
    rows = [
        (target, *row)
        for target, reduce in TARGETS.items()
        for row in _rows(
            run.score_names,
            scores,
            reduce(found.loss),
            np.stack([reduce(change) for change in drawn]),
            max(1, round(share * len(found.keys))),
            seed,
        )
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _rows(
    names: tuple[str, ...],
    scores: np.ndarray,
    effect: np.ndarray,
    resampled: np.ndarray,
    lowest: int,
    seed: int,
) -> Iterator[tuple[str, str, float, float, float, float, float, int]]:
    n = len(effect)
    generator = np.random.default_rng(seed)
    shuffled = np.stack([generator.permutation(effect) for _ in range(_PERMUTATIONS)])
    for measure, agree in measures(lowest).items():
        values, again = agree(scores, effect[None])[:, 0], agree(scores, resampled)
        random = agree(scores, shuffled)
        chance = lowest / n if measure == "recall" else 0.0
        for i, name in enumerate(names):
            if np.ptp(scores[i]) == 0 or np.ptp(effect) == 0:  # a constant ranks nothing
                yield name, measure, np.nan, np.nan, np.nan, chance, np.nan, n
                continue
            low, high = _interval(float(values[i]), again[i])
            p = (1 + np.sum(random[i] >= values[i])) / (1 + _PERMUTATIONS)
            yield name, measure, float(values[i]), low, high, chance, float(p), n


def _interval(value: float, drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975]) + value - drawn.mean()
    return max(float(low), -1.0), min(float(high), 1.0)


def oracle_reliability(run: Run, target: str = "signed", *, seed: int = 0) -> float:
    """How well the oracle agrees with itself: the ceiling of any score's Spearman correlation.

    The effects of one random half of the examples are correlated with those of the other, and the
    mean is corrected to the full number of examples (Spearman 1910, Brown 1910): 2r / (1 + r). A
    perfect score would correlate with the effects found by about the square root of that.

    Parameters
    ----------
    run
        A run that the oracle was asked about.
    target
        One of :data:`TARGETS`.
    seed
        Of the halves.

    Returns
    -------
    float
        At most 1; NaN for fewer than four examples.

    Raises
    ------
    ConfigError
        If there is no such target.
    LogError
        If the oracle was not asked, or is not finished.
    """
    if target not in TARGETS:
        raise ConfigError(f"target {target!r} is none of {', '.join(TARGETS)}")
    found, reduce = read_found(run), TARGETS[target]
    generator = np.random.default_rng(seed)
    n = found.loss.shape[1]
    if n < 4:
        return float("nan")
    agree, drawn = measures(1)["spearman"], []
    for _ in range(_HALVES):
        order = generator.permutation(n)
        halves = [reduce(found.loss[:, rows])[None] for rows in (order[: n // 2], order[n // 2 :])]
        drawn.append(float(agree(*halves)[0, 0]))
    r = float(np.mean(drawn))
    return 2 * r / (1 + r) if r > -1 else float("nan")


def _scores(run: Run, found: Found) -> np.ndarray:
    """Recorded scores of the triplets that were asked about, shape (scores, triplets)."""
    columns = [f"score.{name}" for name in run.score_names]
    last = run.triplets(["module", "k", *columns], steps=-1).astype({"module": str, "k": "int64"})
    aligned = found.keys.merge(last, on=["module", "k"], how="left", validate="1:1")
    return aligned[columns].to_numpy(dtype=float).T
