"""What the SNR is made of, in words to quote."""

from __future__ import annotations

import pandas as pd

from vilora_analysis.errors import ConfigError

__all__ = ["decomposition_verdict"]

_MOSTLY = 0.6


def decomposition_verdict(frame: pd.DataFrame) -> str:
    """Say which of magnitude and width explains the SNR.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.decomposition` gives it, one step.

    Raises
    ------
    ConfigError
        If the frame is not of one step.
    """
    if frame.empty or frame["factor"].duplicated().any():
        raise ConfigError(
            f"expected the decomposition of one step, got rows of "
            f"{', '.join(map(str, frame['step'].unique())) or 'none'}; choose the rows of one"
        )
    told = frame[frame["share_mu"].notna()]
    unknown = frame.loc[frame["share_mu"].isna(), "factor"]
    said = f"At step {frame['step'].iloc[0]} magnitude explains {_shares(told, 'mu')}; 1/sigma the "
    said += f"rest but for {_rest(told)}. " if (told["share_rest"].abs() > 0.01).any() else "rest. "
    if told.empty:
        said = f"At step {frame['step'].iloc[0]} nothing can be told. "
    if len(unknown):
        said += f"snr does not vary in {', '.join(unknown)}: cannot tell. "
    return said + _judged(told)


def _shares(told: pd.DataFrame, of: str) -> str:
    parts = [
        f"{_percent(float(share))} of the variance of log snr and {_percent(float(rank))} of its "
        f"ranking in {_named(factor)}"
        if at == 0
        else f"{_percent(float(share))} and {_percent(float(rank))} in {_named(factor)}"
        for at, (factor, share, rank) in enumerate(
            zip(told["factor"], told[f"share_{of}"], told[f"rank_{of}"], strict=True)
        )
    ]
    return ", ".join(parts)


def _rest(told: pd.DataFrame) -> str:
    seen = told[told["share_rest"].abs() > 0.01]
    pairs = zip(seen["share_rest"], seen["factor"], strict=True)
    return (
        "the averaging over elements ("
        + ", ".join(f"{_percent(float(share))} in {_named(factor)}" for share, factor in pairs)
        + ")"
    )


def _judged(told: pd.DataFrame) -> str:
    """What both measures agree on, of the triplet's score or else of all factors."""
    whole = told[told["factor"] == "all"]
    rows = whole if len(whole) else told
    of = "over whole triplets" if len(whole) else "in every factor"
    if rows.empty:
        return "No statement on magnitude or uncertainty follows."
    for name, words in (("mu", "magnitude"), ("sigma", "the width of the posterior")):
        if (rows[[f"share_{name}", f"rank_{name}"]] >= _MOSTLY).all(axis=None):
            return f"So {of} snr is mostly {words}."
    return f"So {of} snr is neither mostly magnitude nor mostly width, by both measures."


def _named(factor: str) -> str:
    return "whole triplets" if factor == "all" else factor


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%".replace("-0%", "0%")
