"""Figures: from a result frame to a matplotlib Figure; nothing is computed here.

Every function returns the Figure; :func:`save` writes it as PNG and PDF.
"""

from vilora_analysis.figures.correlation import score_correlation
from vilora_analysis.figures.health import posterior_health
from vilora_analysis.figures.oracle import oracle_scores
from vilora_analysis.figures.ranks import rank_heatmap
from vilora_analysis.figures.shadow import shadow_churn, shadow_overlap
from vilora_analysis.figures.style import DOUBLE_COLUMN, SINGLE_COLUMN, save
from vilora_analysis.figures.theory import theory_scatter

__all__ = [
    "DOUBLE_COLUMN",
    "SINGLE_COLUMN",
    "oracle_scores",
    "posterior_health",
    "rank_heatmap",
    "save",
    "score_correlation",
    "shadow_churn",
    "shadow_overlap",
    "theory_scatter",
]
