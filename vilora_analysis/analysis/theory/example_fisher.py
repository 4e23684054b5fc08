"""Does IVON's h stand for the Fisher, and what does the batch size do to squared gradients?

See :mod:`vilora_analysis.analysis.theory.example_fisher_points` for what is held against what.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.theory.example_fisher_points import example_fisher_points
from vilora_analysis.analysis.variation import spearman
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run

__all__ = ["example_fisher", "fisher_verdict"]

_SAME_SIZE = 2.0
_SAME_RANK = 0.8
_LEAST_CEILING = 0.7
_NEGLIGIBLE = 1.5


def example_fisher(run: Run) -> pd.DataFrame:
    """How well each link holds, by measurement and factor.

    Parameters
    ----------
    run
        A run with ``fisher/``.

    Returns
    -------
    DataFrame
        link, source, step, factor, n (triplets kept), excluded (not positive, so without a
        logarithm), examples, batch_size, spearman (over all), slope (least squares through the
        logarithms), ratio (median of y/x, with the quartiles ratio_low and ratio_high),
        expected_ratio (what it is if the link holds), and ceiling: the rank correlation that a
        perfect y would reach in spite of the sampling of examples, the square root of the
        reliability 2r/(1+r) of two halves of them (Spearman 1910, Brown 1910). Without variation
        there is no rank correlation and no slope: NaN.

    Raises
    ------
    LogError
        As :func:`example_fisher_points`.
    """
    points = example_fisher_points(run)
    keys = ["link", "source", "step", "factor"]
    rows = [
        {**dict(zip(keys, values, strict=True)), **_fit(group)}
        for values, group in points.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows)


def fisher_verdict(frame: pd.DataFrame) -> str:
    """Say in a few sentences that can be quoted what the latest measurement shows.

    Parameters
    ----------
    frame
        As :func:`example_fisher` gives it.

    Raises
    ------
    ConfigError
        If it is empty.

    Notes
    -----
    h **is of the size** of the Fisher of examples if the median of their quotient lies between 1/2
    and 2 in every factor, and **ranks** as it does if their rank correlation is at least 0.8 of the
    ceiling in every factor. Where that ceiling is below 0.7 in a factor, or a side is constant, the
    examples cannot tell. The mean gradient is **negligible** if the law of batches gives less than
    1.5 times fisher_example / B in every factor.
    """
    if frame.empty:
        raise ConfigError("there is no measurement to judge")
    last = frame[frame["step"] == frame["step"].max()]
    last = last[last["examples"] == last["examples"].max()]
    rows = last[last["source"] == last["source"].iloc[0]].set_index("link")
    start = f"At step {rows['step'].iloc[0]}, on {rows['examples'].iloc[0]} training examples: "
    return start + " ".join([*_about_hess(rows), *_about_batches(rows)])


def _about_hess(rows: pd.DataFrame) -> Iterator[str]:
    if "hess~fisher_example" not in rows.index:
        yield "there is no h to hold against the Fisher of single examples."
        return
    link = rows.loc[["hess~fisher_example"]]
    numbers = (
        f"(h / Fisher {_by_factor(link, 'ratio', '.2g')}; Spearman "
        f"{_by_factor(link, 'spearman', '.2f')}, at best {_by_factor(link, 'ceiling', '.2f')})"
    )
    sized = bool(link["ratio"].between(1 / _SAME_SIZE, _SAME_SIZE).all())
    size = "is of the size of" if sized else "is not of the size of"
    if link["spearman"].isna().any() or not (link["ceiling"] >= _LEAST_CEILING).all():
        yield f"h {size} the Fisher of single examples; whether it ranks alike, it cannot tell "
    else:
        ranked = bool((link["spearman"] >= _SAME_RANK * link["ceiling"]).all())
        yield (
            f"h {size} the Fisher of single examples, "
            f"{'and' if ranked == sized else 'but'} {'ranks' if ranked else 'does not rank'} as it "
            "does"
        )
    yield f"{numbers}."
    if "hess~correction" in rows.index:
        yield (
            "It is "
            f"{_by_factor(rows.loc[['hess~correction']], 'ratio', '.2g')} times what IVON's own "
            "correction term alone gives, half of (1 - beta2) ess times the squared batch gradient."
        )


def _about_batches(rows: pd.DataFrame) -> Iterator[str]:
    size = rows["batch_size"].iloc[0]
    law = rows.loc[["law~fisher_example"]]
    negligible = bool((law["ratio"] * size < _NEGLIGIBLE).all())
    yield (
        f"By the law of batches, {size} averaged leave {_by_factor(law, 'ratio', '.2g')} of the "
        f"squared gradient of single ones, where 1/{size} is {1 / size:.2g}: the mean gradient is "
        f"{'negligible' if negligible else 'not negligible'}. The orthogonality penalty makes up "
        f"{_by_factor(rows.loc[['penalty~law']], 'ratio', '.1%')} of what the law expects with it."
    )
    recorded = {
        "fisher_batch~law": "the recorded running mean of squared batch gradients",
        "recent_square~law": "the mean of those recorded around the step",
    }
    said = [
        f"{what} is {_by_factor(rows.loc[[name]], 'ratio', '.2g')} times as much"
        for name, what in recorded.items()
        if name in rows.index
    ]
    if said:
        yield f"Beside that, {'; '.join(said)}."


def _by_factor(link: pd.DataFrame, column: str, how: str) -> str:
    """Values of the factors, E first.

    Examples
    --------
    >>> _by_factor(pd.DataFrame({"factor": ["E", "A"], "ratio": [0.5, 2.0]}), "ratio", ".2g")
    'E 0.5, A 2'
    """
    pairs = zip(link["factor"], link[column], strict=True)
    return ", ".join(f"{factor} {format(value, how)}" for factor, value in pairs)


def _fit(group: pd.DataFrame) -> dict[str, float]:
    x, y = group["x"].to_numpy(dtype=float), group["y"].to_numpy(dtype=float)
    positive = (x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y)
    halves = group[["fisher_half_1", "fisher_half_2"]].to_numpy(dtype=float)
    counted = (x > 0) & np.isfinite(y)
    low, middle, high = _quartiles(y[counted] / x[counted])
    return {
        "n": len(x),
        "excluded": int((~positive).sum()),
        "examples": int(group["examples"].iloc[0]),
        "batch_size": int(group["batch_size"].iloc[0]),
        "spearman": float(spearman(x[None], y[None])[0]),
        "slope": _slope(np.log10(x[positive]), np.log10(y[positive])),
        "ratio": middle,
        "ratio_low": low,
        "ratio_high": high,
        "expected_ratio": float(group["expected_ratio"].iloc[0]),
        "ceiling": _ceiling(*halves.T),
    }


def _quartiles(values: np.ndarray) -> Iterator[float]:
    return map(float, np.quantile(values, [0.25, 0.5, 0.75]) if len(values) else [np.nan] * 3)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(stats.linregress(x, y).slope) if len(np.unique(x)) > 1 else np.nan


def _ceiling(first: np.ndarray, second: np.ndarray) -> float:
    r = float(spearman(first[None], second[None])[0])
    return float(np.sqrt(max(2 * r / (1 + r), 0.0))) if r > -1 else np.nan
