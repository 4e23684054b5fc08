"""Ranks kept, how the scores correlate, the posterior's health, the links of the paper."""

from __future__ import annotations

from functools import partial

import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.audits.definition import Answer, Audit, needs
from vilora_analysis.audits.shown import labels, of_shown, shown, thinned
from vilora_analysis.log import Run

__all__ = ["BASIC"]


def _ranks(run: Run) -> Answer:
    frame = analysis.ranks(run)
    if frame["layer"].isna().all():
        return Answer(
            {"ranks": frame}, notes=("no heatmap of ranks: no adapted matrix lies within a layer",)
        )
    if (frame["rank"] == frame["init_rank"]).all():
        note = "no heatmap of ranks: nothing was pruned, every matrix keeps its rank"
        return Answer({"ranks": frame}, notes=(note,))
    return Answer({"ranks": frame}, {"ranks": partial(figures.rank_heatmap, frame)})


def _correlations(run: Run) -> Answer:
    step = analysis.decision_step(run)
    methods = tuple(analysis.METHODS)
    chosen = pd.concat(
        analysis.correlations(run, steps=step, methods=methods, by=by) for by in ("all", "matrix")
    )
    over_time = analysis.correlations(run, scores=_compared(run), steps=thinned(run))
    whole = chosen[(chosen["method"] == "spearman") & (chosen["group"] == "all")]
    drawn = of_shown(run, whole, "score_a", "score_b")
    # of scores that carry a state, the equation says what the symbol on the axis is
    states = [s.equation for s in run.manifest.scores if "←" in s.equation]
    draw = partial(figures.score_correlation, drawn, labels(run), caption="; ".join(states))
    return Answer(
        {"correlations": chosen, "correlations_over_time": over_time}, {"correlations": draw}
    )


def _compared(run: Run) -> list[str]:
    """Scores to follow over time: of dozens, the pairs would be hundreds."""
    names = shown(run)
    return names if len(names) > 1 else list(run.score_names)


def _theory(run: Run) -> Answer:
    points, fits = analysis.theory_points(run), analysis.theory(run)
    labels = [(link.name, link.x_label, link.y_label) for link in analysis.LINKS]
    return Answer(
        {"theory_points": points, "theory": fits},
        {"theory": partial(figures.theory_scatter, points, fits, labels)},
    )


def _health(run: Run) -> Answer:
    measured = analysis.health(run)
    over_time = analysis.health_over_time(run, steps=thinned(run))
    said = str(analysis.verdict(measured))
    draw = partial(figures.posterior_health, analysis.health_points(run), over_time, caption=said)
    return Answer({"health": measured, "health_over_time": over_time}, {"health": draw}, said)


def _nothing(run: Run) -> str:
    return ""


BASIC = (
    Audit("ranks", "where did the run keep its rank?", _ranks, _nothing),
    Audit(
        "correlations",
        "how do the scores rank the triplets beside each other?",
        _correlations,
        lambda run: "" if len(run.score_names) > 1 else "fewer than two scores are recorded",
    ),
    Audit(
        "health",
        "can anything about uncertainty be read into the run?",
        _health,
        needs(analysis.has_health, "it needs a run trained with IVON"),
    ),
    Audit(
        "theory",
        "does the paper's chain from sensitivity to snr hold, link by link?",
        _theory,
        needs(analysis.has_theory, "it needs a run trained with IVON, and its scores recorded"),
    ),
)
