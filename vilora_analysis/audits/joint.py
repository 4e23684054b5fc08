"""What runs say together: stability over seeds, the bridge by system, the paper's claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd

from vilora_analysis import analysis, figures, scores
from vilora_analysis.audits.claims import CLAIMS
from vilora_analysis.audits.definition import Answer, JointAudit
from vilora_analysis.audits.planted import PLANTED
from vilora_analysis.audits.systems import systems
from vilora_analysis.log import Run

__all__ = ["JOINT"]

_MOST_GROUPS, _MOST_RUNS = 4, 8


def _stability(runs: Sequence[Run]) -> Answer:
    frames = {
        name: analysis.stability(members)
        for name, members in systems(filter(analysis.has_shadow, runs)).items()
        if len(members) > 1
    }
    between = scores.family("bridge")
    said = [
        f"{name}: {analysis.stability_verdict(frame[~frame['score'].isin(between)])}"
        for name, frame in frames.items()
    ]
    return Answer({"stability": _named(frames)}, verdict=" ".join(said))


def _lacks_seeds(runs: Sequence[Run]) -> str:
    groups = systems(filter(analysis.has_shadow, runs)).values()
    several = any(len(members) > 1 for members in groups)
    return "" if several else "it needs runs that decided, and differ in their seed only"


def _bridges(runs: Sequence[Run]) -> Answer:
    frames = [
        analysis.bridge(run).assign(run=run.name, system=name)
        for name, members in systems(filter(analysis.has_bridge, runs)).items()
        for run in members
    ]
    whole = pd.concat(frames, ignore_index=True)
    keys = ["system", "part", "swap"]
    numbers = ["nearer", "least", "most", "moved", "apart"]
    mean = whole.groupby(keys, sort=False)[numbers].mean().reset_index().assign(step=0)
    said = " ".join(
        f"{name}: {analysis.bridge_verdict(rows, when='On average')}"
        for name, rows in mean.groupby("system", sort=False)
    )
    if whole["system"].nunique() > _MOST_GROUPS:
        note = f"no figure of bridges: more than {_MOST_GROUPS} systems"
        return Answer({"bridges": whole}, verdict=said, notes=(note,))
    caption = "A point a run, before anything was pruned; bars: means, lines: any order of swaps."
    draw = partial(figures.score_bridge, whole, group="system", caption=caption)
    return Answer({"bridges": whole}, {"bridges": draw}, said)


def _equilibria(runs: Sequence[Run]) -> Answer:
    chosen = [run for run in runs if analysis.has_equilibrium(run)]
    frame = pd.concat([analysis.equilibrium(run) for run in chosen], ignore_index=True)
    said = analysis.equilibrium_verdict(frame)
    notes: tuple[str, ...] = ()
    if len(chosen) > _MOST_RUNS:  # of each system one
        chosen = [members[0] for members in systems(chosen).values()][:_MOST_RUNS]
        notes = (f"figure of equilibria: only {', '.join(run.name for run in chosen)}",)
    points = pd.concat([analysis.equilibrium_points(run) for run in chosen], ignore_index=True)
    shown = frame[frame["run"].isin([run.name for run in chosen])]
    draw = partial(figures.hessian_equilibrium, points, shown, caption=said)
    return Answer({"equilibria": frame}, {"equilibria": draw}, said, notes)


def _named(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    named = [frame.assign(system=name) for name, frame in frames.items()]
    return pd.concat(named, ignore_index=True)


def _penalty(runs: Sequence[Run]) -> Answer:
    ranks, overlap = analysis.rank_by_penalty(runs), analysis.penalty_overlap(runs)
    said = analysis.penalty_verdict(ranks)
    draw = partial(figures.penalty_rank, ranks, caption=said)
    tables = {"penalty": ranks, "penalty_overlap": overlap}
    return Answer(tables, {"penalty": draw}, said)


def _any(holds: Callable[[Run], bool], otherwise: str) -> Callable[[Sequence[Run]], str]:
    return lambda runs: "" if any(map(holds, runs)) else otherwise


def _is_penalised(run: Run) -> bool:
    return run.manifest.config.get("allocation") == "l1"


JOINT = (
    JointAudit(
        "stability",
        "does a score keep the same triplets when only the seed changes?",
        _stability,
        _lacks_seeds,
    ),
    JointAudit(
        "bridges",
        "which ingredient moves the ranking, system by system?",
        _bridges,
        _any(analysis.has_bridge, "no run records the scores between sensitivity and snr"),
    ),
    JointAudit(
        "equilibria",
        "where does 1/σ come from, over all runs?",
        _equilibria,
        _any(analysis.has_equilibrium, "no run was trained with IVON"),
    ),
    CLAIMS,
    JointAudit(
        "penalty",
        "where does an L1 penalty end, beside a budget?",
        _penalty,
        _any(_is_penalised, "no run has an L1 penalty (vilora train --allocation l1)"),
    ),
    PLANTED,
)
