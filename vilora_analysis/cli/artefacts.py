"""Every analysis of one run, written as tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.cli.tables import write_table
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["Artefacts", "analyse"]

_STEMS = (
    "ranks",
    "correlations",
    "correlations_over_time",
    "theory",
    "theory_points",
    "health",
    "health_over_time",
    "shadow_overlap",
    "shadow_churn",
)
_MOST_STEPS = 600
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
    try:
        out.mkdir(parents=True, exist_ok=True)
        before = _analysed_before(out)
        files = [
            *_ranks(run, out, notes),
            *_correlations(run, out, notes),
            *_theory(run, out, notes),
            *_health(run, out, notes),
            *_shadow(run, out, notes),
        ]
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


def _ranks(run: Run, out: Path, notes: list[str]) -> list[Path]:
    frame = analysis.ranks(run)
    files = write_table(frame, out / "ranks")
    if frame["layer"].isna().all():
        notes.append("no heatmap of ranks: no adapted matrix lies within a layer")
    elif (frame["rank"] == frame["init_rank"]).all():
        notes.append("no heatmap of ranks: nothing was pruned, every matrix keeps its rank")
    else:
        files += figures.save(figures.rank_heatmap(frame), out / "ranks")
    return files


def _correlations(run: Run, out: Path, notes: list[str]) -> list[Path]:
    if len(run.score_names) < 2:
        notes.append("no correlations: fewer than two scores are recorded")
        return []
    step = analysis.decision_step(run)
    methods = tuple(analysis.METHODS)
    chosen = pd.concat(
        analysis.correlations(run, steps=step, methods=methods, by=by) for by in ("all", "matrix")
    )
    over_time = analysis.correlations(run)
    drawn = chosen[(chosen["method"] == "spearman") & (chosen["group"] == "all")]
    # of scores that carry a state, the equation says what the symbol on the axis is
    states = [s.equation for s in run.manifest.scores if "←" in s.equation]
    figure = figures.score_correlation(drawn, run.labels, caption="; ".join(states))
    return [
        *write_table(chosen, out / "correlations"),
        *write_table(over_time, out / "correlations_over_time"),
        *figures.save(figure, out / "correlations"),
    ]


def _theory(run: Run, out: Path, notes: list[str]) -> list[Path]:
    if not analysis.has_theory(run):
        notes.append("no theory: it needs a run trained with IVON, and its scores recorded")
        return []
    points, fits = analysis.theory_points(run), analysis.theory(run)
    labels = [(link.name, link.x_label, link.y_label) for link in analysis.LINKS]
    return [
        *write_table(points, out / "theory_points"),
        *write_table(fits, out / "theory"),
        *figures.save(figures.theory_scatter(points, fits, labels), out / "theory"),
    ]


def _health(run: Run, out: Path, notes: list[str]) -> list[Path]:
    if not analysis.has_health(run):
        notes.append("no health of the posterior: it needs a run trained with IVON")
        return []
    measured = analysis.health(run)
    over_time = analysis.health_over_time(run, steps=_thinned(run))
    figure = figures.posterior_health(
        analysis.health_points(run), over_time, caption=str(analysis.verdict(measured))
    )
    return [
        *write_table(measured, out / "health"),
        *write_table(over_time, out / "health_over_time"),
        *figures.save(figure, out / "health"),
    ]


def _shadow(run: Run, out: Path, notes: list[str]) -> list[Path]:
    if not analysis.has_shadow(run):
        notes.append("no shadow allocation: it needs two scores, and a decision at a recorded step")
        return []
    ends, churn = analysis.final_overlap(run), analysis.churn(run)
    groups = [analysis.overlap(run, by=by, steps=-1) for by in ("matrix", "layer")]
    files = write_table(pd.concat([ends, *groups], ignore_index=True), out / "shadow_overlap")
    files += write_table(churn, out / "shadow_churn")
    if ends.loc[ends["measure"] == "kept", "corrected"].isna().all():
        notes.append("no figure of shadow_overlap: nothing, or everything, was pruned")
    else:
        first, last = ends["step"].min(), ends["step"].max()
        untouched = f"Before step {first} nothing was pruned." if first < last else ""
        figure = figures.shadow_overlap(ends, run.labels, caption=untouched)
        files += figures.save(figure, out / "shadow_overlap")
    if churn.empty:
        notes.append("no figure of shadow_churn: a single decision was recorded")
    else:
        files += figures.save(figures.shadow_churn(churn, run.labels), out / "shadow_churn")
    return files


def _thinned(run: Run) -> list[int]:
    """Steps of a line: all, or some hundreds of a long run, evenly, with both ends."""
    chosen = np.linspace(0, len(run.steps) - 1, min(len(run.steps), _MOST_STEPS)).round()
    return [int(step) for step in run.steps[chosen.astype(int)]]
