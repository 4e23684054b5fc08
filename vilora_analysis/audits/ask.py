"""Ask every audit of every run; what comes out is for others to write or to show."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from vilora_analysis import analysis
from vilora_analysis.audits.basic import BASIC
from vilora_analysis.audits.definition import Answer
from vilora_analysis.audits.hessian import HESSIAN
from vilora_analysis.audits.joint import JOINT
from vilora_analysis.audits.oracle import ORACLE
from vilora_analysis.audits.scores import SCORES
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, references
from vilora_analysis.provenance import RunReference

__all__ = ["AUDITS", "JOINT_AUDITS", "Asked", "ask_runs", "planned"]

AUDITS = (*BASIC, *SCORES, *HESSIAN, *ORACLE)
"""What each run is asked."""
JOINT_AUDITS = JOINT
"""What all runs are asked together."""


@dataclass(frozen=True)
class Asked:
    """One audit of one run, or of all, and its answer; nothing is drawn or written yet.

    Attributes
    ----------
    audit, question
        Which.
    run
        Name of the run; empty for one of all.
    answer
        Of an audit that could not be asked, notes that say why.
    sources
        What it comes from.
    seconds
        Time taken.
    """

    audit: str
    question: str
    run: str
    answer: Answer
    sources: tuple[RunReference, ...]
    seconds: float


def planned(runs: Sequence[Run]) -> int:
    """How many answers :func:`ask_runs` will give."""
    return len(runs) * len(AUDITS) + len(JOINT_AUDITS)


def ask_runs(runs: Sequence[Run], *, without: Collection[str] = ()) -> Iterator[Asked]:
    """Audit runs one by one, then together.

    Parameters
    ----------
    runs
        Recorded runs of different names.
    without
        Names of audits that are not asked.

    Yields
    ------
    Asked
        As each is answered. An audit that a run does not hold what it needs for says so in its
        notes.

    Raises
    ------
    ConfigError
        If two runs have the same name.
    """
    names = [run.name for run in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"several runs are called {', '.join(twice)}; audit them apart, each to an --out"
        )
    sources = references(runs)
    for run, source in zip(runs, sources, strict=True):
        unrecorded = _unrecorded(run)
        for audit in (audit for audit in AUDITS if audit.name not in without):
            reason = unrecorded or audit.lacking(run)
            about = (audit.name, audit.question, run.name)
            yield _answered(about, reason, partial(audit.ask, run), (source,))
    for joint in (joint for joint in JOINT_AUDITS if joint.name not in without):
        about = (joint.name, joint.question, "")
        yield _answered(about, joint.lacking(runs), partial(joint.ask, runs), sources)


def _unrecorded(run: Run) -> str:
    """Why there is nothing to ask about, if so."""
    try:
        analysis.decision_step(run)
    except LogError as error:
        return str(error)
    return ""


def _answered(
    about: tuple[str, str, str],
    reason: str,
    ask: Callable[[], Answer],
    sources: tuple[RunReference, ...],
) -> Asked:
    began = time.perf_counter()
    try:
        answer = Answer(notes=(f"not asked: {reason}",)) if reason else ask()
    except (LogError, ConfigError) as error:
        answer = Answer(notes=(f"not answered: {error}",))
    return Asked(*about, answer, sources, time.perf_counter() - began)
