"""Every figure of the package, drawn from a small frame."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from tests.analysis.speed_steps import KNOWN, steps
from tests.figures import (
    test_bridge,
    test_claims,
    test_example_fisher,
    test_oracle,
    test_penalty,
    test_planted,
    test_rank_panels,
)
from tests.figures.frames import (
    LABELS,
    LINKS,
    churn,
    correlations,
    decomposition,
    equilibrium,
    health,
    overlap,
    ranks,
    theory,
)
from vilora_analysis import analysis, figures

LONG = "sigma is uniform; " * 9


def _claims(width: float = figures.DOUBLE_COLUMN) -> Figure:
    statement = "|mu| ranks more like the signed change of the loss without each than 1/sigma does"
    rows = [
        test_claims.BLANK,
        test_claims.BLANK | {"verdict": "not supported", "interval": "t", "low": -9.0},
        test_claims.BLANK | {"claim": "C3", "statement": statement, "evidence": "oracle of each"},
        test_claims.BLANK | test_claims.NOTHING | {"claim": "C4", "verdict": "not testable"},
    ]
    return figures.claims_forest(pd.DataFrame(rows), caption="A row a test.", width=width)


def _bridge(width: float = figures.DOUBLE_COLUMN) -> Figure:
    runs = [test_bridge.frame(shift=at / 10).assign(run=f"run {at}") for at in range(4)]
    return figures.score_bridge(pd.concat(runs), caption="Bars: means.", width=width)


def _times(width: float = figures.DOUBLE_COLUMN) -> Figure:
    frame = steps(KNOWN, noise=0.05)
    summary = analysis.speed_summary(frame, repeats=20)
    return figures.step_times(summary, analysis.speed_split(frame), caption=LONG, width=width)


SCALED: dict[str, Callable[..., Figure]] = {
    "ranks": lambda **how: figures.rank_heatmap(ranks(), **how),
    "correlation": lambda **how: figures.score_correlation(correlations(), LABELS, **how),
    "theory": lambda **how: figures.theory_scatter(*theory(), LINKS, **how),
    "step times": _times,
    "shadow overlap": lambda **how: figures.shadow_overlap(overlap(), LABELS, **how),
    "shadow churn": lambda **how: figures.shadow_churn(churn(), LABELS, **how),
    "equilibrium": lambda **how: figures.hessian_equilibrium(*equilibrium(), caption=LONG, **how),
    "decomposition": lambda **how: figures.snr_decomposition(
        decomposition().query("step == 4"), decomposition(), caption="snr is mostly |mu|.", **how
    ),
    "health": lambda **how: figures.posterior_health(*health(), caption=LONG, **how),
    "bridge": _bridge,
    "claims": _claims,
    "example fisher": lambda **how: figures.example_fisher_scatter(
        test_example_fisher.points(), test_example_fisher.fits(), test_example_fisher.LABELS, **how
    ),
    "oracle": lambda **how: figures.oracle_scores(
        test_oracle.agreement(),
        test_oracle.regret(),
        LABELS,
        ceilings={"signed": 0.5, "moved": 0.9},
        **how,
    ),
    "penalty": lambda **how: figures.penalty_rank(test_penalty.frame(), **how),
    "planted recall": lambda **how: figures.planted_recall(test_planted.summary(), LABELS, **how),
    "planted heatmap": lambda **how: figures.planted_heatmap(test_planted.ranks(), LABELS, **how),
    "rank panels": lambda **how: figures.rank_panels(test_rank_panels.panels(), **how),
    "rank strip": lambda **how: figures.rank_strip(
        test_rank_panels.panels(3, steps=(10, 20, 30)), **how
    ),
    "rank distances": lambda **how: figures.rank_distance_matrix(
        test_rank_panels.distances(), **how
    ),
}
"""By name; each takes ``width=``."""

DRAWINGS: dict[str, Callable[[], Figure]] = {**SCALED}
