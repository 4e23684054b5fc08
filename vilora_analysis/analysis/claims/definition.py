"""What a claim is, and what is asked of runs to judge it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from vilora_analysis.analysis.claims.judging import Outcome
from vilora_analysis.analysis.claims.pairing import Bed
from vilora_analysis.analysis.claims.power import Kind

__all__ = ["ORACLE", "RUNS", "SHADOW", "Claim", "Options", "Question"]

RUNS = "runs pruned by each criterion"
SHADOW = "shadow of one run a seed"
ORACLE = "oracle of one run a seed"
"""Evidence: separate runs, as the paper has it; what the scores of one run would have kept; the
loss without each triplet of one run.
"""


@dataclass(frozen=True)
class Options:
    """What a reader may choose.

    Attributes
    ----------
    alpha
        Two-sided level of every test.
    margin
        Difference of the task's metric that does not matter, in percent points.
    metric
        The metric of the ``final`` model, or of the ``best`` of a run's evaluations.
    """

    alpha: float = 0.05
    margin: float = 0.5
    metric: Literal["final", "best"] = "final"


@dataclass(frozen=True)
class Question:
    """One test of a claim, on one bed.

    Attributes
    ----------
    statement
        What is tested, in words.
    evidence
        :data:`RUNS`, :data:`SHADOW` or :data:`ORACLE`.
    kind, margin, reference
        As for :func:`vilora_analysis.analysis.claims.judging.examine`.
    unit
        Of effect and margin.
    values
        One a pair, positive in favour.
    remark
        What a reader must know beside the verdict.
    missing, remedy
        Why there are no values, and a command that would provide some.
    barred
        Why the values there are cannot speak for or against the claim.
    outcome
        Result of a test of another kind, in place of the one on the values.
    """

    statement: str
    evidence: str
    kind: Kind
    unit: str
    margin: float
    values: tuple[float, ...] = ()
    reference: float = 0.0
    remark: str = ""
    missing: str = ""
    remedy: str = ""
    barred: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes
    ----------
    id
        Short name.
    section
        Where the paper makes it.
    text
        Its words.
    ask
        From a bed and the options to the tests of the claim.
    """

    id: str
    section: str
    text: str
    ask: Callable[[Bed, Options], Iterable[Question]]
