"""Ask every audit of every run, and write what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vilora_analysis import analysis
from vilora_analysis.audits.basic import BASIC
from vilora_analysis.audits.definition import Answer
from vilora_analysis.audits.hessian import HESSIAN
from vilora_analysis.audits.joint import JOINT
from vilora_analysis.audits.oracle import ORACLE
from vilora_analysis.audits.scores import SCORES
from vilora_analysis.audits.write import write_answer
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, references
from vilora_analysis.provenance import RunReference, recorded

__all__ = ["AUDITS", "JOINT_AUDITS", "Result", "audit_runs", "planned"]

AUDITS = (*BASIC, *SCORES, *HESSIAN, *ORACLE)
"""What each run is asked."""
JOINT_AUDITS = JOINT
"""What all runs are asked together."""


@dataclass(frozen=True)
class Result:
    """One audit of one run, or of all.

    Attributes
    ----------
    audit, question
        Which.
    run
        Name of the run; empty for one of all.
    files
        What was written.
    verdict
        In words; empty if there is none.
    notes
        What is left out, and why; of an audit that could not be asked, why.
    seconds
        Time taken, drawing and writing included.
    """

    audit: str
    question: str
    run: str
    files: tuple[Path, ...]
    verdict: str
    notes: tuple[str, ...]
    seconds: float


def planned(runs: Sequence[Run]) -> int:
    """How many results :func:`audit_runs` will give."""
    return len(runs) * len(AUDITS) + len(JOINT_AUDITS)


def audit_runs(runs: Sequence[Run], out: Path) -> Iterator[Result]:
    """Audit runs one by one, then together.

    Parameters
    ----------
    runs
        Recorded runs of different names.
    out
        Folder; what is about one run lies in a folder of its name, what is about all in it
        directly.

    Yields
    ------
    Result
        As each is done. An audit that a run does not hold what it needs for says so in its notes.

    Raises
    ------
    ConfigError
        If two runs have the same name.
    LogError
        If the folder cannot be written.
    """
    names = [run.name for run in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"several runs are called {', '.join(twice)}; audit them apart, each to an --out"
        )
    sources = references(runs)
    for run, source in zip(runs, sources, strict=True):
        unrecorded = _unrecorded(run)
        for audit in AUDITS:
            reason = unrecorded or audit.lacking(run)
            about = (audit.name, audit.question, run.name)
            yield _answered(about, reason, partial(audit.ask, run), out / run.name, (source,))
    for joint in JOINT_AUDITS:
        about = (joint.name, joint.question, "")
        yield _answered(about, joint.lacking(runs), partial(joint.ask, runs), out, sources)


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
    out: Path,
    sources: tuple[RunReference, ...],
) -> Result:
    began = time.perf_counter()
    try:
        answer = Answer(notes=(f"not asked: {reason}",)) if reason else ask()
    except (LogError, ConfigError) as error:
        answer = Answer(notes=(f"not answered: {error}",))
    with recorded(sources):
        files = write_answer(answer, out)
    return Result(*about, tuple(files), answer.verdict, answer.notes, time.perf_counter() - began)
