"""Over seeds: mean and interval of what was found, against chance, sensitivity and the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.planted.answers import CHANCE, ORACLE
from vilora_analysis.errors import ConfigError

__all__ = ["planted_summary", "planted_verdict"]

NOTHING = "nothing"
"""What a value that is no difference is held against."""

_REFERENCE = "sensitivity"
_AGAINST = (CHANCE, _REFERENCE, ORACLE)
_WIDE = ("precision", "recall", "f1")
_LEVEL = 0.05


def planted_summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Sum up over seeds, which are the unit: one plant, one training, one number.

    Parameters
    ----------
    frame
        As :func:`planted_found` or :func:`planted_located` gives it.

    Returns
    -------
    DataFrame
        One row a score, measure, setting (``step``, and ``multiple`` or ``reduce``) and
        ``against``: ``mean`` over the seeds with Student's 95% interval (``low``, ``high``),
        ``seeds``, ``p``. ``against`` is ``nothing`` for the value itself, else what is subtracted
        from it seed by seed: ``chance``, ``sensitivity`` or ``oracle``; only then there is a ``p``,
        that of the two-sided paired t-test. With one seed, low, high and p are NaN. Beside
        ``chance`` stands ``p_exact``, the largest over the seeds of the exact probability that a
        random choice finds as much: it says whether a score knows these plants, which needs no
        spread over seeds.

    Raises
    ------
    ConfigError
        If a seed is there twice.
    """
    exact = _largest_p(frame) if "p" in frame else None
    measures = [name for name in _WIDE if name in frame]
    setting = ["step", "multiple" if measures else "reduce"]
    if measures:
        frame = frame.melt(
            ["seed", *setting, "score"], measures, var_name="measure", value_name="value"
        )
    keys = [*setting, "measure"]
    if frame.duplicated(["seed", *keys, "score"]).any():
        raise ConfigError("a seed is there twice; sum up one run for each seed")
    rows = []
    for group, part in frame.groupby(keys, sort=False):
        wide = part.pivot_table("value", "seed", "score")
        named = dict(zip(keys, group, strict=True))
        order = list(dict.fromkeys(part["score"]))
        rows += [{**named, **row} for row in _rows(wide, order)]
    summed = pd.DataFrame(rows)
    if exact is None:
        return summed
    joined = summed.merge(exact, on=["score", *setting], how="left", validate="m:1")
    return joined.assign(p_exact=joined["p_exact"].where(joined["against"] == CHANCE))


def planted_verdict(summary: pd.DataFrame, *, multiple: float = 1.0) -> str:
    """Say which scores find the plant, in sentences that can be quoted.

    A score finds more than chance if in every seed the exact p times the number of scores
    (Bonferroni) is below 5%. It differs from the sensitivity if that holds of the paired t-test
    over seeds; with one seed nothing can be told.

    Parameters
    ----------
    summary
        Of :func:`planted_found`, by :func:`planted_summary`; the last step in it is judged.
    multiple
        Budget that is judged, as a multiple of the planted rank.
    """
    last = summary[(summary["measure"] == "recall") & (summary["multiple"] == multiple)]
    last = last[last["step"] == last["step"].max()]
    if last.empty:
        raise ConfigError(f"no recall at multiple {multiple} in the summary; found others")
    values = last[last["against"] == NOTHING].set_index("score")
    scores = values.drop(index=[CHANCE, ORACLE, "random"], errors="ignore")
    scores = scores.sort_values("mean", ascending=False, kind="stable")
    seeds = int(scores["seeds"].max())
    best = str(scores.index[0])
    said = [
        f"Over {seeds} seed{'s' if seeds > 1 else ''}, {_value(best, values)} finds most of the "
        f"planted rank at the right budget; {_others(best, values)}."
    ]
    said.append(_beyond_chance(last, list(scores.index), seeds))
    if seeds < 2:
        said.append("One seed has no interval: which score is better cannot be told.")
    else:
        said.append(_beside(last, scores))
    return " ".join(said)


def _largest_p(frame: pd.DataFrame) -> pd.DataFrame:
    """By score and setting the p of the seed in which it knows least."""
    largest = frame.groupby(["score", "step", "multiple"], sort=False)["p"].max()
    return largest.rename("p_exact").reset_index()


def _rows(wide: pd.DataFrame, order: Sequence[str]) -> Iterator[dict[str, Any]]:
    for score in order:
        yield {"score": score, "against": NOTHING, **_interval(wide[score])} | {"p": np.nan}
        for other in _AGAINST:
            if other in wide and other != score:
                yield {"score": score, "against": other, **_interval(wide[score] - wide[other])}


def _interval(values: pd.Series) -> dict[str, float]:
    """Mean, Student's interval, and p of a mean of 0."""
    found = values.dropna().to_numpy()
    n = len(found)
    if n < 2:
        mean = float(found.mean()) if n else np.nan
        return {"mean": mean, "low": np.nan, "high": np.nan, "seeds": n, "p": np.nan}
    mean, error = float(found.mean()), float(found.std(ddof=1) / np.sqrt(n))
    half = float(stats.t.ppf(1 - _LEVEL / 2, n - 1)) * error
    if error > 1e-12:
        p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    else:
        p = (
            1.0 if abs(mean) < 1e-12 else np.nan
        )  # always the same difference: no spread to judge by
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": n, "p": p}


def _value(name: str, values: pd.DataFrame) -> str:
    row = values.loc[name]
    # Student's interval knows no bounds, a recall does
    low, high = max(row["low"], 0.0), min(row["high"], 1.0)
    interval = "" if np.isnan(row["low"]) else f", 95% {low:.2f} to {high:.2f}"
    return f"{name} (recall {row['mean']:.2f}{interval})"


def _others(best: str, values: pd.DataFrame) -> str:
    means = values["mean"].to_dict()
    told = ("snr", _REFERENCE, ORACLE, CHANCE)
    names = [name for name in told if name in means and name != best]
    return ", ".join(f"{name} {means[name]:.2f}" for name in names)


def _beyond_chance(last: pd.DataFrame, scores: list[str], seeds: int) -> str:
    against = last[(last["against"] == CHANCE) & last["score"].isin(scores)]
    known = against["p_exact"] * len(scores) < _LEVEL
    unknown = against[~known]["score"].tolist()
    where = "in every seed" if seeds > 1 else "in this seed"
    but = f", not {', '.join(unknown)}" if 0 < len(unknown) <= 3 else ""
    return (
        f"{known.sum()} of {len(scores)} scores find more than a random choice would {where} "
        f"(exact, Bonferroni){but}."
    )


def _beside(last: pd.DataFrame, scores: pd.DataFrame) -> str:
    against = last[(last["against"] == _REFERENCE) & last["score"].isin(scores.index)]
    if against.empty:
        return "The sensitivity was not recorded."
    sure = against[against["p"] * len(against) < _LEVEL]
    if sure.empty:
        widest = float((against["high"] - against["low"]).median() / 2)
        return (
            "No score can be told from the sensitivity with so few seeds: the intervals of the "
            f"differences reach about {widest:.2f} to either side."
        )
    better, worse = sure[sure["mean"] > 0]["score"], sure[sure["mean"] < 0]["score"]
    told = [f"better: {', '.join(better)}"] if len(better) else []
    told += [f"worse: {', '.join(worse)}"] if len(worse) else []
    return f"Told from the sensitivity: {'; '.join(told)}."
