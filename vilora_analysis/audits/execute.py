"""Ask every audit of every run, and write what comes out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from vilora_analysis.audits.ask import AUDITS, JOINT_AUDITS, ask_runs, planned
from vilora_analysis.audits.write import write_answer
from vilora_analysis.log import Run
from vilora_analysis.provenance import recorded

__all__ = ["AUDITS", "JOINT_AUDITS", "Result", "audit_runs", "planned"]


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


def audit_runs(runs: Sequence[Run], out: Path) -> Iterator[Result]:
    """Audit runs one by one, then together, and write each answer.

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
    for asked in ask_runs(runs):
        began = time.perf_counter()
        with recorded(asked.sources):
            files = write_answer(asked.answer, out / asked.run)
        pa.default_memory_pool().release_unused()  # else each audit adds to what the others held
        taken = asked.seconds + time.perf_counter() - began
        answer = asked.answer
        about = (asked.audit, asked.question, asked.run)
        yield Result(*about, tuple(files), answer.verdict, answer.notes, taken)
