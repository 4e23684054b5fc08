"""What scores would have kept, how they hang together, and whether the log computes them right."""

from __future__ import annotations

import importlib.util
from functools import partial

import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.audits.definition import Answer, Audit, Draw, needs
from vilora_analysis.audits.shown import labels, of_shown, thinned
from vilora_analysis.log import Run

__all__ = ["SCORES"]


def _shadow(run: Run) -> Answer:
    ends = analysis.final_overlap(run)
    churn, settling, last_change = analysis.all_changes(run)
    groups = [analysis.overlap(run, by=by, steps=-1) for by in ("matrix", "layer")]
    tables = {
        "shadow_overlap": pd.concat([ends, *groups], ignore_index=True),
        "shadow_churn": churn,
        "shadow_settling": settling,
        "shadow_last_change": last_change,
    }
    drawn: dict[str, Draw] = {}
    notes = []
    main = of_shown(run, ends, "score_a", "score_b")
    if ends.loc[ends["measure"] == "kept", "corrected"].isna().all():
        notes.append("no figure of shadow_overlap: nothing, or everything, was pruned")
    else:
        first, last = ends["step"].min(), ends["step"].max()
        untouched = f"Before step {first} nothing was pruned." if first < last else ""
        drawn["shadow_overlap"] = partial(
            figures.shadow_overlap, main, labels(run), caption=untouched
        )
    if churn.empty:
        notes.append("no figure of shadow_churn: a single decision was recorded")
    else:
        drawn["shadow_churn"] = partial(
            figures.shadow_churn, of_shown(run, churn, "score"), labels(run)
        )
    return Answer(tables, drawn, analysis.shadow_verdict(main), tuple(notes))


def _bridge(run: Run) -> Answer:
    shares, swaps = analysis.bridge(run), analysis.bridge_swaps(run)
    tables = {
        "bridge": shares,
        "bridge_swaps": swaps,
        "bridge_aggregation": analysis.bridge_aggregation(run),
    }
    said = analysis.bridge_verdict(shares)
    draw = partial(figures.score_bridge, shares, caption=said)
    return Answer(tables, {"bridge": draw}, said)


def _decomposition(run: Run) -> Answer:
    frame = analysis.decomposition(run)
    over_time = analysis.decomposition(run, steps=thinned(run))
    said = analysis.decomposition_verdict(frame)
    draw = partial(figures.snr_decomposition, frame, over_time, caption=said)
    tables = {"decomposition": frame, "decomposition_over_time": over_time}
    return Answer(tables, {"decomposition": draw}, said)


def _breakdown(run: Run) -> Answer:
    columns = [f"score.{name}" for name in analysis.BREAKDOWN_SCORES]
    recorded = run.triplets(["step", *columns], thinned(run))
    frames = [analysis.breakdown(recorded, budget) for budget in _budgets(run)]
    said = " ".join(map(analysis.breakdown_verdict, frames))
    return Answer({"breakdown": pd.concat(frames, ignore_index=True)}, verdict=said)


def _budgets(run: Run) -> list[int]:
    """What the run kept in the end, or two thirds, and a third: a smaller one cuts among ties."""
    decided, n = run.events()["budget"], run.manifest.n_triplets
    own = int(decided.iloc[-1]) if len(decided) else round(2 * n / 3)
    return sorted({max(own, 1), max(n // 3, 1)}, reverse=True)


def _rescoring(run: Run) -> Answer:
    from vilora_analysis.probes.rescoring import rescoring_verdict, verify_scores

    frame = verify_scores(run)
    return Answer({"rescoring": frame}, verdict=rescoring_verdict(frame))


def _lacks_elements(run: Run) -> str:
    if importlib.util.find_spec("torch") is None:
        return "scores are computed by torch; install the extra: vilora-analysis[train]"
    there = (run.path / "elements").is_dir()
    return "" if there else "it needs recorded elements (vilora train --elements-every N)"


def _lacks_breakdown(run: Run) -> str:
    missing = [name for name in analysis.BREAKDOWN_SCORES if name not in run.score_names]
    words = f"it needs {' and '.join(missing)} recorded (vilora train --scores default "
    return f"{words}{' '.join(missing)})" if missing else ""


SCORES = (
    Audit(
        "shadow",
        "what would each score have kept?",
        _shadow,
        needs(analysis.has_shadow, "it needs two scores, and a decision at a recorded step"),
    ),
    Audit(
        "bridge",
        "which ingredient moves the ranking from sensitivity to snr?",
        _bridge,
        needs(
            analysis.has_bridge,
            "it needs the scores between the two (vilora train --scores default bridge)",
        ),
    ),
    Audit(
        "decomposition",
        "how much of snr is magnitude, how much width?",
        _decomposition,
        needs(analysis.has_decomposition, "it needs a run trained with IVON that records snr"),
    ),
    Audit(
        "breakdown",
        "what would the published float32 SNR(|θ|) have pruned?",
        _breakdown,
        _lacks_breakdown,
    ),
    Audit(
        "rescoring",
        "are the recorded scores those of the recorded elements, to the last bit?",
        _rescoring,
        _lacks_elements,
    ),
)
