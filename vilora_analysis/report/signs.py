"""A verdict in two words, for whoever looks for a second: taken from the audit's own tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from vilora_analysis import analysis
from vilora_analysis.audits import Asked

__all__ = ["Sign", "sign_of"]

Kind = Literal["good", "mixed", "bad", "plain"]


@dataclass(frozen=True)
class Sign:
    """Two words on a subject; ``kind`` is how it is marked, by a shape and a colour."""

    subject: str
    words: str
    kind: Kind


def sign_of(asked: Asked) -> Sign | None:
    """The sign of an audit that was answered, if it has one."""
    tables = asked.answer.tables
    make = _SIGNS.get(asked.audit)
    frame = tables.get(asked.audit)
    return None if make is None or frame is None or frame.empty else make(frame)


def _health(frame: pd.DataFrame) -> Sign:
    level = analysis.verdict(frame).level
    words, kind = _LEVELS[level]
    return Sign("σ", words, kind)


_LEVELS: dict[str, tuple[str, Kind]] = {
    "informative": ("informative", "good"),
    "partly": ("partly informative", "mixed"),
    "uniform": ("uniform: no information", "bad"),
}


def _rescoring(frame: pd.DataFrame) -> Sign:
    wrong = int((frame["differ"] > 0).sum())
    if wrong:
        return Sign("scores", f"{wrong} of {len(frame)} not reproduced", "bad")
    return Sign("scores", "reproduced to the last bit", "good")


def _identities(frame: pd.DataFrame) -> Sign:
    broken = int((~frame["holds"].astype(bool)).sum())
    if broken:
        return Sign("identities", f"{broken} of {len(frame)} broken", "bad")
    return Sign("identities", "hold", "good")


def _claims(frame: pd.DataFrame) -> Sign:
    counts = frame["verdict"].value_counts()
    order = ("supported", "not supported", "underpowered")
    said = [f"{counts[name]} {name}" for name in order if counts.get(name, 0)]
    decided = counts.get("supported", 0) + counts.get("not supported", 0)
    words = ", ".join(said) or "none testable"
    return Sign("claims", words, "plain" if decided else "mixed")


_SIGNS: dict[str, Callable[[pd.DataFrame], Sign]] = {
    "health": _health,
    "rescoring": _rescoring,
    "identities": _identities,
    "claims": _claims,
}
