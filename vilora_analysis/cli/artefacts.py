"""The everyday audits of one run, written as tables and figures."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from vilora_analysis import analysis
from vilora_analysis.audits import AUDITS, Writing, begin_answer
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, references
from vilora_analysis.provenance import recorded

__all__ = ["Artefacts", "analyse"]

_ASKED = ("ranks", "correlations", "theory", "health", "shadow")
_STEMS = (
    *("ranks", "correlations", "correlations_over_time", "theory", "theory_points"),
    *("health", "health_over_time", "shadow_overlap", "shadow_churn", "shadow_settling"),
    "shadow_last_change",
)
_SUFFIXES = (".parquet", ".csv", ".png", ".pdf")


@dataclass(frozen=True)
class Artefacts:
    """What was written, and what a reader may miss and why."""

    files: list[Path]
    notes: list[str]


def analyse(run: Run, out: Path, executor: Executor | None = None) -> Artefacts:
    """Write correlations, ranks and, where the run has a posterior, theory and its health.

    Where the run decided, what each score would have kept is written too. What an older analysis
    left in the folder and this one does not write is removed, so that all files there are of one
    run.

    Parameters
    ----------
    run
        A recorded run.
    out
        Folder for the files; created.
    executor
        Who draws the figures while further audits are asked; if None, this process does.

    Returns
    -------
    Artefacts
        Tables as Parquet and CSV, figures as PNG and PDF; and a line for each that is left out.

    Raises
    ------
    LogError
        If the run has no recorded steps, or the folder cannot be written.
    """
    if not run.manifest.n_triplets:
        return Artefacts([], ["nothing to analyse: no matrix was adapted, there are metrics only"])
    analysis.decision_step(run)  # says so if there is nothing to analyse
    notes: list[str] = []
    before = _analysed_before(out)
    begun = [*_begun(run, out, executor, notes)]
    for writing in reversed(begun):
        writing.lend_a_hand()
    files = [file for writing in begun for file in writing.files()]
    try:
        for file in sorted(before - set(files)):
            file.unlink()
            notes.append(f"removed {file}, which an older analysis left")
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None
    return Artefacts(files, notes)


def _begun(run: Run, out: Path, executor: Executor | None, notes: list[str]) -> Iterator[Writing]:
    """Ask one audit after the other; what is left out, and why, is added to the notes."""
    sources = references([run])
    for audit in (audit for audit in AUDITS if audit.name in _ASKED):
        if reason := audit.lacking(run):
            notes.append(f"no {audit.name}: {reason}")
            continue
        answer = audit.ask(run)
        with recorded(sources):
            writing = begin_answer(answer, out, executor)
        notes += answer.notes
        yield writing


def _analysed_before(out: Path) -> set[Path]:
    """Files of an older analysis: beside its table, since a lone theory.pdf is somebody's own."""
    stems = [out / stem for stem in _STEMS if (out / f"{stem}.parquet").exists()]
    files = {stem.with_suffix(suffix) for stem in stems for suffix in _SUFFIXES}
    return {file for file in files if file.exists()}
