"""Figures: from a result frame to a matplotlib Figure; nothing is computed here.

Every function returns the Figure; :func:`save` writes it as PNG and PDF.
"""

from vilora_analysis.figures.bench import step_times
from vilora_analysis.figures.bridge import score_bridge
from vilora_analysis.figures.claims import claims_forest
from vilora_analysis.figures.correlation import score_correlation
from vilora_analysis.figures.decomposition import snr_decomposition
from vilora_analysis.figures.equilibrium import hessian_equilibrium
from vilora_analysis.figures.example_fisher import example_fisher_scatter
from vilora_analysis.figures.health import posterior_health
from vilora_analysis.figures.oracle import oracle_scores
from vilora_analysis.figures.penalty import penalty_rank
from vilora_analysis.figures.planted import planted_heatmap, planted_recall
from vilora_analysis.figures.rank_animation import animate_ranks
from vilora_analysis.figures.rank_distances import rank_distance_matrix
from vilora_analysis.figures.rank_panels import rank_panels, rank_strip
from vilora_analysis.figures.ranks import rank_heatmap
from vilora_analysis.figures.shadow import shadow_churn, shadow_overlap
from vilora_analysis.figures.style import DOUBLE_COLUMN, SINGLE_COLUMN, save
from vilora_analysis.figures.theory import theory_scatter

__all__ = [
    "DOUBLE_COLUMN",
    "SINGLE_COLUMN",
    "animate_ranks",
    "claims_forest",
    "example_fisher_scatter",
    "hessian_equilibrium",
    "oracle_scores",
    "penalty_rank",
    "planted_heatmap",
    "planted_recall",
    "posterior_health",
    "rank_distance_matrix",
    "rank_heatmap",
    "rank_panels",
    "rank_strip",
    "save",
    "score_bridge",
    "score_correlation",
    "shadow_churn",
    "shadow_overlap",
    "snr_decomposition",
    "step_times",
    "theory_scatter",
]
