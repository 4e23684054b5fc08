"""The everyday audits of one run, written as tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vilora_analysis import analysis
from vilora_analysis.audits import AUDITS, write_answer
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


def analyse(run: Run, out: Path) -> Artefacts:
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
    files: list[Path] = []
    sources = references([run])
    before = _analysed_before(out)
    for audit in AUDITS:
        if audit.name not in _ASKED:
            continue
        if reason := audit.lacking(run):
            notes.append(f"no {audit.name}: {reason}")
            continue
        answer = audit.ask(run)
        with recorded(sources):
            files += write_answer(answer, out)
        notes += answer.notes
    try:
        for file in sorted(before - set(files)):
            file.unlink()
            notes.append(f"removed {file}, which an older analysis left")
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None
    return Artefacts(files, notes)


def _analysed_before(out: Path) -> set[Path]:
    """Files of an older analysis: beside its table, since a lone theory.pdf is somebody's own."""
    stems = [out / stem for stem in _STEMS if (out / f"{stem}.parquet").exists()]
    files = {stem.with_suffix(suffix) for stem in stems for suffix in _SUFFIXES}
    return {file for file in files if file.exists()}
