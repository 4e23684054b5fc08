"""The oracle's answer in sentences that can be quoted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

__all__ = ["oracle_verdict"]

_SAID = {
    "signed": "whether and how much the loss rises without a triplet",
    "absolute": "how much the loss changes without a triplet",
    "moved": "how much the losses of single examples change without a triplet",
}
_KNOWN = 0.05


def oracle_verdict(agreement: pd.DataFrame, reliability: Mapping[str, float]) -> str:
    """Sum the agreement up, a sentence a target.

    A score knows something if its p, times the number of scores (Bonferroni), is below 5%.

    Parameters
    ----------
    agreement
        As :func:`oracle_agreement` gives it.
    reliability
        By target what :func:`oracle_reliability` gives.
    """
    ranks = agreement[agreement["measure"] == "spearman"].dropna(subset="value")
    if ranks.empty:
        return "every score, or the oracle itself, is constant and ranks nothing"
    said = [
        _sentence(_SAID[str(target)], rows, reliability[str(target)])
        for target, rows in ranks.groupby("target", sort=False)
    ]
    return " ".join(said)


def _sentence(what: str, ranks: pd.DataFrame, reliability: float) -> str:
    ranks = ranks.sort_values("value", ascending=False)
    first, last = ranks.iloc[0], ranks.iloc[-1]
    known = int((ranks["p"] * len(ranks) < _KNOWN).sum())
    who = {0: "no score knows", len(ranks): f"all {known} scores know"}.get(
        known, f"{known} of {len(ranks)} scores know"
    )
    return (
        f"Beyond chance, {who} {what}: best {first['score']} (Spearman {first['value']:.2f}, 95% "
        f"{first['low']:.2f} to {first['high']:.2f}), last {last['score']} ({last['value']:.2f}); "
        f"{_ceiling(reliability)}."
    )


def _ceiling(reliability: float) -> str:
    if np.isnan(reliability):
        return "how reliable the oracle is on so few examples is not known"
    ceiling = np.sqrt(max(reliability, 0.0))
    return f"a perfect score would reach about {ceiling:.2f} on these examples"
