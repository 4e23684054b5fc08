"""What an audit is: a question that some runs can answer, and its answer in three forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from vilora_analysis.audits.display import answer_html, png

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from vilora_analysis.log import Run

__all__ = ["Answer", "Audit", "JointAudit", "needs"]

Draw = Callable[[], "Figure"]


@dataclass(frozen=True, repr=False)
class Answer:
    """What came out; in a notebook it shows itself.

    Attributes
    ----------
    tables
        Tidy frames by file name.
    figures
        By file name how to draw it.
    verdict
        A sentence or some, to quote; empty where there is none.
    notes
        What a reader may miss, and why.
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Draw] = field(default_factory=dict)
    verdict: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def pictures(self) -> Mapping[str, bytes]:
        """The figures as PNG, by file name; drawn once, for the screen rather than for print."""
        return {name: png(draw()) for name, draw in self.figures.items()}

    def __repr__(self) -> str:
        named = f"tables={[*self.tables]}, figures={[*self.figures]}"
        return f"Answer({self.verdict!r}, {named})"

    def _repr_html_(self) -> str:
        return answer_html(self)


@dataclass(frozen=True)
class Audit:
    """A question to one run.

    Attributes
    ----------
    name
        Short name; its files begin with it.
    question
        What is asked, in one line.
    ask
        Gives the answer; raises LogError where the run does not hold what it needs.
    lacking
        What a run lacks to be asked, in words; empty if nothing.
    """

    name: str
    question: str
    ask: Callable[[Run], Answer]
    lacking: Callable[[Run], str]


@dataclass(frozen=True)
class JointAudit:
    """A question to several runs together; attributes as of :class:`Audit`."""

    name: str
    question: str
    ask: Callable[[Sequence[Run]], Answer]
    lacking: Callable[[Sequence[Run]], str]


def needs(holds: Callable[[Run], bool], otherwise: str) -> Callable[[Run], str]:
    """What a run lacks, as :attr:`Audit.lacking` says it, from whether it holds what is needed."""
    return lambda run: "" if holds(run) else otherwise
