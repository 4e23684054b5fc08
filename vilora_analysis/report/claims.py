"""The claims sheet as a reader takes it in: claim by claim first, then test by test."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

__all__ = ["shown_tables"]

_VERDICTS = ("supported", "not supported", "underpowered", "not testable")
_TESTS = (
    *("claim", "task", "statement", "verdict", "effect", "low", "high", "unit", "n_pairs", "p"),
    *("p_holm", "detectable", "margin", "evidence", "why"),
)


def shown_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables to show of an answer: of the claims a count by claim, and the tests' main columns."""
    shown: dict[str, pd.DataFrame] = {}
    for name, frame in tables.items():
        if name == "claims":
            shown["claim by claim"] = _by_claim(frame)
            frame = frame[[column for column in _TESTS if column in frame]]
        shown[name] = frame
    return shown


def _by_claim(frame: pd.DataFrame) -> pd.DataFrame:
    keys = ["claim", "section", "text"]
    given = {name: frame["verdict"] == name for name in _VERDICTS}
    counts = frame[keys].assign(**given).groupby(keys, sort=False).sum()
    return counts.reset_index()
