"""Every analysis of one run, written as tables and figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["analyse"]


def analyse(run: Run, out: Path) -> list[Path]:
    """Write correlations, ranks and, where the run has a posterior, theory.

    Parameters
    ----------
    run
        A recorded run.
    out
        Folder for the files; created.

    Returns
    -------
    list of Path
        Tables as Parquet and CSV, figures as PNG and PDF.

    Raises
    ------
    LogError
        If the run has no recorded steps, or the folder cannot be written.
    """
    analysis.decision_step(run)  # says so if there is nothing to analyse
    try:
        out.mkdir(parents=True, exist_ok=True)
        return [
            *_ranks(run, out),
            *(_correlations(run, out) if len(run.score_names) > 1 else []),
            *(_theory(run, out) if analysis.has_theory(run) else []),
        ]
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None


def _ranks(run: Run, out: Path) -> list[Path]:
    frame = analysis.ranks(run)
    return [
        *_table(frame, out / "ranks"),
        *figures.save(figures.rank_heatmap(frame), out / "ranks"),
    ]


def _correlations(run: Run, out: Path) -> list[Path]:
    step = analysis.decision_step(run)
    methods = tuple(analysis.METHODS)
    chosen = pd.concat(
        analysis.correlations(run, steps=step, methods=methods, by=by) for by in ("all", "matrix")
    )
    over_time = analysis.correlations(run)
    drawn = chosen[(chosen["method"] == "spearman") & (chosen["group"] == "all")]
    return [
        *_table(chosen, out / "correlations"),
        *_table(over_time, out / "correlations_over_time"),
        *figures.save(figures.score_correlation(drawn, run.labels), out / "correlations"),
    ]


def _theory(run: Run, out: Path) -> list[Path]:
    points, fits = analysis.theory_points(run), analysis.theory(run)
    labels = [(link.name, link.x_label, link.y_label) for link in analysis.LINKS]
    return [
        *_table(points, out / "theory_points"),
        *_table(fits, out / "theory"),
        *figures.save(figures.theory_scatter(points, fits, labels), out / "theory"),
    ]


def _table(frame: pd.DataFrame, path: Path) -> list[Path]:
    written = [path.with_suffix(".parquet"), path.with_suffix(".csv")]
    frame.to_parquet(written[0], index=False)
    frame.to_csv(written[1], index=False, float_format="%.6g")
    return written
