"""Where 1/sigma comes from, in words to quote."""

from __future__ import annotations

import pandas as pd

from vilora_analysis.errors import ConfigError

__all__ = ["equilibrium_verdict"]

_LEFT = "what is left, curvature or a gradient that depends on its own noise,"
_LEAST = 0.005  # what shows as a whole percent

_SOURCES = {
    "initial": "is h's initial value",
    "correction": "comes from the optimizer's own correction term",
    "curvature": "comes from curvature",
    "mixed": "has no single source",
}


def equilibrium_verdict(frame: pd.DataFrame) -> str:
    """Say where the posterior's width comes from, and what that means for the paper's argument.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.equilibrium` gives it, one step a run; of one run or
        several.

    Raises
    ------
    ConfigError
        If the frame has no rows, or more than one step of a run.
    """
    if frame.empty or frame.duplicated(["run", "factor"]).any():
        raise ConfigError(
            "expected one step of each run, got "
            f"{', '.join(map(str, frame['step'].unique())) or 'none'}; choose the rows of one"
        )
    found = _of_one(frame) if len(frame["run"].unique()) == 1 else _of_several(frame)
    return f"{found}; {_curvature(frame)}.{_meaning(frame)}"


def _of_one(frame: pd.DataFrame) -> str:
    """Clause by clause, factors of one regime together."""
    clauses = [
        f"1/sigma of {', '.join(group['factor'])} {_SOURCES[str(regime)]} ({_shares(group)})"
        for regime, group in frame.groupby("regime", sort=False)
    ]
    return f"At step {frame['step'].iloc[0]}, {'; '.join(clauses)}"


def _of_several(frame: pd.DataFrame) -> str:
    clauses = [
        f"in {len(group)} of {len(frame)} it {_SOURCES[str(regime)]} ({_shares(group)})"
        for regime, group in frame.groupby("regime", sort=False)
    ]
    runs = len(frame["run"].unique())
    return f"Over {runs} runs and the factors of each, 1/sigma: {'; '.join(clauses)}"


def _shares(group: pd.DataFrame) -> str:
    names = ("initial", "correction") if group["regime"].iloc[0] == "mixed" else ()
    main = {"curvature": "remainder"}.get(group["regime"].iloc[0], group["regime"].iloc[0])
    said = [f"{_percents(group[f'share_{name}'])} {name}" for name in names]
    return ", ".join(said) or f"{_percents(group[f'share_{main}'])} of h"


def _curvature(frame: pd.DataFrame) -> str:
    """What is left of h: curvature, if its bounds leave zero out."""
    seen = frame[(frame["remainder_low"] > _LEAST) | (frame["remainder_high"] < -_LEAST)]
    least, most = frame["remainder_low"].min(), frame["remainder_high"].max()
    if seen.empty:
        return (
            "nothing of it is told apart from zero curvature (95% bounds of what is left "
            f"{_percent(least)} to {_percent(most)} of h)"
        )
    if len(frame["run"].unique()) > 1:
        return (
            f"{_LEFT} is told apart from zero in {len(seen)} of {len(frame)} "
            f"({_percents(seen['share_remainder'])} of h)"
        )
    pairs = zip(seen["share_remainder"], seen["factor"], strict=True)
    where = [f"{_percent(float(share))} in {factor}" for share, factor in pairs]
    return f"{_LEFT} is {', '.join(where)}"


def _meaning(frame: pd.DataFrame) -> str:
    corrected = frame[frame["regime"] == "correction"]
    if corrected.empty:
        return ""
    single = corrected[corrected["factor"] == "E"]
    noise = (
        f" And h of a single E is a noisy draw: it lies {_numbers(single['spread'])} times its "
        f"expectation away from it (root mean square; {_numbers(single['spread_expected'])} "
        "expected)."
        if len(single)
        else ""
    )
    return (
        " Where the correction term rules, snr tends to ess sqrt((1 - beta2)/2) |theta| RMS(g) "
        f"because of that term, not because the Hessian is the Fisher.{noise}"
    )


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%".replace("-0%", "0%")


def _percents(values: pd.Series) -> str:
    low, high = _percent(values.min()), _percent(values.max())
    return low if low == high else f"{low} to {high}"


def _numbers(values: pd.Series) -> str:
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    return low if low == high else f"{low} to {high}"
