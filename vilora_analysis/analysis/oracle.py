"""How well each score knows what the oracle found: the loss without each triplet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.variation import spearman
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.oracle import OracleFiles

__all__ = [
    "has_oracle",
    "oracle_agreement",
    "oracle_effects",
    "oracle_regret",
    "oracle_reliability",
    "oracle_verdict",
]

_RESAMPLES = 400
_HALVES = 50
_PERMUTATIONS = 999
_RECOVERED = ("recovered_loss", "recovered_right")


@dataclass(frozen=True)
class _Found:
    """Changes by triplet and example.

    Attributes
    ----------
    keys
        One row a triplet: module, matrix, layer, k.
    loss, right
        With the triplet removed minus with all, shape (triplets, examples).
    """

    keys: pd.DataFrame
    loss: np.ndarray
    right: np.ndarray


def has_oracle(run: Run) -> bool:
    """Whether the oracle was asked about a run."""
    return (OracleFiles(run.path).folder / "oracle.json").exists()


def oracle_effects(run: Run, *, seed: int = 0) -> pd.DataFrame:
    """What removing each triplet alone does to the held-out loss.

    Returns
    -------
    DataFrame
        One row a triplet: module, matrix, layer, k; ``effect``, the mean change of the loss, with
        a 95% bootstrap interval over examples (``low``, ``high``); ``right``, the mean change of
        the share classified rightly; ``examples``.

    Raises
    ------
    LogError
        If the oracle was not asked, or is not finished.
    """
    found = _read(run)
    draws = np.stack([found.loss[:, rows].mean(1) for rows in _resamples(found, seed)])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return found.keys.assign(
        effect=found.loss.mean(1),
        low=low,
        high=high,
        right=found.right.mean(1),
        examples=found.loss.shape[1],
    )


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
        One row a score and measure (``spearman``, ``kendall``, ``recall``): ``value`` with a 95%
        interval (``low``, ``high``: what other examples might have said of the same triplets),
        ``chance``, what a random score gets, and ``p``, the share of random orders of the triplets
        that agree as much (one-sided; it answers whether the score knows anything, which the
        interval does not). ``recall`` is the share of the triplets whose removal costs least that
        the score also puts last.

    Notes
    -----
    A resample adds the noise of the examples once more, which pulls every agreement towards 0: the
    interval is that of the resamples, moved so that their mean is the value found.
    """
    found, scores = _read(run), _scores(run)
    aligned = found.keys.merge(scores, on=["module", "k"], how="left", validate="1:1")
    lowest = max(1, round(share * len(aligned)))
    effects = [found.loss[:, rows].mean(1) for rows in _resamples(found, seed)]
    mean, n = found.loss.mean(1), len(aligned)
    generator = np.random.default_rng(seed)
    shuffled = [mean[generator.permutation(n)] for _ in range(_PERMUTATIONS)]
    rows = []
    for name in run.score_names:
        score = aligned[f"score.{name}"].to_numpy()
        for measure, (compare, chance) in _measures(lowest, n).items():
            value = compare(score, mean)
            low, high = _interval(value, np.array([compare(score, effect) for effect in effects]))
            at_random = np.array([compare(score, other) for other in shuffled])
            p = (1 + np.sum(at_random >= value)) / (1 + _PERMUTATIONS)
            rows.append((name, measure, value, low, high, chance, p, n))
    columns = ["score", "measure", "value", "low", "high", "chance", "p", "triplets"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(p=frame["p"].where(frame["value"].notna()))


def _interval(value: float, drawn: np.ndarray) -> tuple[float, float]:
    if not np.isfinite(drawn).all():
        return float("nan"), float("nan")  # a constant ranks nothing
    low, high = np.quantile(drawn, [0.025, 0.975]) + value - drawn.mean()
    return max(float(low), -1.0), min(float(high), 1.0)


def oracle_reliability(run: Run, *, seed: int = 0) -> float:
    """How well the oracle agrees with itself: the ceiling of any score's Spearman correlation.

    The effects of one random half of the examples are correlated with those of the other, and the
    mean is corrected to the full number of examples (Spearman 1910, Brown 1910): 2r / (1 + r). A
    perfect score would correlate with the effects found by about the square root of that.
    """
    found = _read(run)
    generator = np.random.default_rng(seed)
    n = found.loss.shape[1]
    if n < 4:
        return float("nan")
    drawn = []
    for _ in range(_HALVES):
        order = generator.permutation(n)
        first, second = order[: n // 2], order[n // 2 :]
        drawn.append(_spearman(found.loss[:, first].mean(1), found.loss[:, second].mean(1)))
    r = float(np.mean(drawn))
    return 2 * r / (1 + r) if r > -1 else float("nan")


def oracle_regret(run: Run) -> pd.DataFrame:
    """What is lost by removing the lowest of each score together.

    Returns
    -------
    DataFrame
        One row an order (a score, ``oracle`` for the order of the single effects, ``random``) and
        number ``removed``: held-out ``loss``, share classified ``right``, and ``regret``, the loss
        beyond that of the oracle's order; ``recovered_loss`` and ``recovered_right`` after a few
        steps of training, where the oracle was asked for them. For ``random`` the means over
        draws, with the standard deviation ``spread`` of the loss. Removed together, triplets need
        not add up: a score may do better than the oracle's order.
    """
    sets = OracleFiles(run.path).sets()
    if sets is None:
        raise LogError(f"{run.path} has no losses of sets; finish it with vilora oracle")
    order = sets["order"].str.replace(r"^random-\d+$", "random", regex=True)
    grouped = sets.assign(order=order).groupby(["order", "removed"], sort=False)
    measured = [name for name in ("loss", "right", *_RECOVERED) if name in sets]
    frame = grouped[measured].mean().assign(spread=grouped["loss"].std()).reset_index()
    best = frame[frame["order"] == "oracle"].set_index("removed")["loss"]
    return frame.assign(regret=frame["loss"] - frame["removed"].map(best))


def oracle_verdict(agreement: pd.DataFrame, reliability: float) -> str:
    """Sum the agreement up in a sentence that can be quoted.

    A score agrees beyond chance if its p, times the number of scores (Bonferroni), is below 5%.
    """
    ranks = agreement[agreement["measure"] == "spearman"].dropna(subset="value")
    if ranks.empty:
        return "every score is constant and ranks nothing"
    ranks = ranks.sort_values("value", ascending=False)
    first, last = ranks.iloc[0], ranks.iloc[-1]
    known = ranks[ranks["p"] * len(ranks) < 0.05]["score"].tolist()
    ceiling = np.sqrt(max(reliability, 0.0))
    said = (
        f"{first['score']} ranks the {first['triplets']} triplets most like the signed change of "
        "the loss without each "
        f"(Spearman {first['value']:.2f}, 95% {first['low']:.2f} to {first['high']:.2f}), "
        f"{last['score']} least ({last['value']:.2f}); "
        f"a perfect score would reach about {ceiling:.2f} on these examples"
    )
    if not known:
        return (
            f"no score agrees with the sign and size of the oracle's changes beyond chance: {said}"
        )
    return f"{len(known)} of {len(ranks)} scores agree with the oracle beyond chance; {said}"


def _read(run: Run) -> _Found:
    losses = OracleFiles(run.path).losses()
    order = np.sort(losses["example"].unique())
    base = losses[losses["module"].isna()].set_index("example").loc[order]
    single = losses[losses["module"].notna()].astype({"module": str})
    keys = run.modules.merge(
        single[["module", "k"]].drop_duplicates(), on=["module", "k"], how="inner"
    )
    index = pd.MultiIndex.from_frame(keys[["module", "k"]])
    wide = single.pivot_table(["loss", "right"], ["module", "k"], "example", sort=False)
    return _Found(
        keys,
        *(
            wide[name].loc[index, order].to_numpy() - base[name].to_numpy()
            for name in ("loss", "right")
        ),
    )


def _scores(run: Run) -> pd.DataFrame:
    columns = [f"score.{name}" for name in run.score_names]
    return run.triplets(["module", "k", *columns], steps=-1).astype({"module": str, "k": "int64"})


def _resamples(found: _Found, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    n = found.loss.shape[1]
    for _ in range(_RESAMPLES):
        yield np.asarray(generator.integers(n, size=n))


def _measures(
    lowest: int, n: int
) -> dict[str, tuple[Callable[[np.ndarray, np.ndarray], float], float]]:
    def recall(score: np.ndarray, effect: np.ndarray) -> float:
        worst = set(np.argsort(effect, kind="stable")[:lowest].tolist())
        return len(worst & set(np.argsort(score, kind="stable")[:lowest].tolist())) / lowest

    return {
        "spearman": (_spearman, 0.0),
        "kendall": (_kendall, 0.0),
        "recall": (recall, lowest / n),
    }


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    return float(spearman(first[None], second[None])[0])


def _kendall(first: np.ndarray, second: np.ndarray) -> float:
    return float(stats.kendalltau(first, second).statistic)
