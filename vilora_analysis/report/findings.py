"""What the audits found, in the order of the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from vilora_analysis.audits import Asked
from vilora_analysis.report.claims import shown_tables
from vilora_analysis.report.pictures import Later, begin
from vilora_analysis.report.signs import Sign, sign_of
from vilora_analysis.report.tables import Table, table_of

__all__ = ["TOGETHER", "Finding", "finding", "in_order"]

_ORDER = (
    *("health", "ranks", "correlations", "theory", "shadow", "bridge", "decomposition"),
    *("breakdown", "equilibrium", "identities", "rescoring", "example_fisher", "oracle"),
    *("claims", "stability", "bridges", "equilibria", "penalty", "planted"),
)
TOGETHER = ("bridges", "equilibria")
"""Audits of all runs that say of one alone what it says itself."""

_TITLES = {"example_fisher": "Fisher of examples", "rescoring": "The log itself"}


@dataclass(frozen=True)
class Finding:
    """One audit as a section.

    Attributes
    ----------
    audit, question, run
        As of :class:`vilora_analysis.audits.Asked`.
    title
        Of the section.
    anchor
        Id of the section, of letters and digits only.
    verdict
        As it was given.
    notes
        What a reader may miss, and why.
    pictures, tables
        In their order.
    sign
        The verdict in two words, if there are such.
    """

    audit: str
    question: str
    run: str
    title: str
    anchor: str
    verdict: str
    notes: tuple[str, ...]
    pictures: tuple[Later, ...]
    tables: tuple[Table, ...]
    sign: Sign | None

    @property
    def said(self) -> tuple[str, ...]:
        """Sentences of the verdict."""
        return _sentences(self.verdict)

    @property
    def answered(self) -> bool:
        """Whether there is anything but a reason why not."""
        return bool(self.said or self.pictures or self.tables)


def finding(asked: Asked, anchor: str, *, most: int, executor: Executor | None = None) -> Finding:
    """Make a section of an answer, and have its figures drawn.

    Parameters
    ----------
    asked
        The answer.
    anchor
        Id of the section.
    most
        Rows of the longest table that is shown.
    executor
        Who draws; if None, each figure is drawn when it is asked for.
    """
    answer = asked.answer
    folder = f"{asked.run}/" if asked.run else ""
    return Finding(
        asked.audit,
        asked.question,
        asked.run,
        _TITLES.get(asked.audit, asked.audit.replace("_", " ").capitalize()),
        anchor,
        answer.verdict,
        answer.notes,
        tuple(
            begin(make, name, f"{anchor}-{i}", executor)
            for i, (name, make) in enumerate(answer.figures.items())
        ),
        tuple(
            table_of(name, frame, most=most, file=f"{folder}{name}.parquet")
            for name, frame in shown_tables(answer.tables).items()
        ),
        sign_of(asked),
    )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """As the page has them; audits that it does not know come last."""
    known = {name: place for place, name in enumerate(_ORDER)}
    return sorted(findings, key=lambda one: known.get(one.audit, len(known)))


def _sentences(verdict: str) -> tuple[str, ...]:
    """Sentences of a verdict; a point within a number or a name ends none.

    Examples
    --------
    >>> _sentences("All of 1.5 hold. So do b.c.")
    ('All of 1.5 hold.', 'So do b.c.')
    """
    parts: Sequence[str] = re.split(r"(?<=[.!?]) +", verdict.strip())
    return tuple(part for part in parts if part)
