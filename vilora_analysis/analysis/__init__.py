"""Questions answered from logs alone: frames in, frames out, no torch.

Each file asks one question and answers it with a tidy frame that a figure can draw.
"""

from vilora_analysis.analysis.breakdown import (
    BREAKDOWN_SCORES,
    breakdown,
    breakdown_verdict,
)
from vilora_analysis.analysis.bridge import (
    bridge,
    bridge_aggregation,
    bridge_swaps,
    has_bridge,
)
from vilora_analysis.analysis.bridge_verdict import bridge_verdict
from vilora_analysis.analysis.claims import (
    CLAIMS,
    claims,
    claims_markdown,
    claims_text,
    claims_verdict,
)
from vilora_analysis.analysis.correlation import (
    METHODS,
    CorrelationBlock,
    correlation_blocks,
    correlations,
)
from vilora_analysis.analysis.engine import on_scheduler
from vilora_analysis.analysis.health import (
    has_health,
    health,
    health_over_time,
    health_points,
)
from vilora_analysis.analysis.oracle import (
    has_oracle,
    oracle_agreement,
    oracle_effects,
    oracle_regret,
    oracle_reliability,
    oracle_verdict,
)
from vilora_analysis.analysis.penalty import penalty_overlap, rank_by_penalty
from vilora_analysis.analysis.penalty_verdict import penalty_verdict
from vilora_analysis.analysis.planted import (
    has_planted,
    planted_found,
    planted_located,
    planted_modules,
    planted_ranks,
    planted_summary,
    planted_verdict,
)
from vilora_analysis.analysis.rank_distances import rank_distances, rank_panels_verdict
from vilora_analysis.analysis.rank_panels import (
    PANELS,
    panel_ranks,
    panel_steps,
    rank_entropy,
    rank_panels,
)
from vilora_analysis.analysis.ranks import ranks
from vilora_analysis.analysis.runs import runs_table
from vilora_analysis.analysis.shadow import (
    all_changes,
    churn,
    final_overlap,
    has_shadow,
    kept_sets,
    last_change,
    overlap,
    settling,
    shadow_verdict,
    stability,
    stability_verdict,
    unpruned_step,
)
from vilora_analysis.analysis.speed import speed_effects, speed_split, speed_summary
from vilora_analysis.analysis.speed_verdict import speed_verdict
from vilora_analysis.analysis.steps import decision_step, posterior_factors
from vilora_analysis.analysis.table import (
    difference_layout,
    published_table,
    results_table,
    table_layout,
    table_notes,
    table_verdict,
)
from vilora_analysis.analysis.theory.decomposition import (
    decomposition,
    element_decomposition,
    has_decomposition,
)
from vilora_analysis.analysis.theory.decomposition_verdict import decomposition_verdict
from vilora_analysis.analysis.theory.equilibrium import (
    equilibrium,
    equilibrium_points,
    equilibrium_whole,
    has_equilibrium,
)
from vilora_analysis.analysis.theory.equilibrium_verdict import equilibrium_verdict
from vilora_analysis.analysis.theory.example_fisher import example_fisher, fisher_verdict
from vilora_analysis.analysis.theory.example_fisher_links import FISHER_LINKS
from vilora_analysis.analysis.theory.example_fisher_points import (
    example_fisher_points,
    has_example_fisher,
)
from vilora_analysis.analysis.theory.identities import has_identities, identities
from vilora_analysis.analysis.theory.identities_verdict import identities_verdict
from vilora_analysis.analysis.theory.links import LINKS, has_theory, theory, theory_points
from vilora_analysis.analysis.verdict import Verdict, posterior_facts, verdict
from vilora_analysis.log.summary import add_facts

__all__ = [
    "BREAKDOWN_SCORES",
    "CLAIMS",
    "FISHER_LINKS",
    "LINKS",
    "METHODS",
    "PANELS",
    "CorrelationBlock",
    "Verdict",
    "all_changes",
    "breakdown",
    "breakdown_verdict",
    "bridge",
    "bridge_aggregation",
    "bridge_swaps",
    "bridge_verdict",
    "churn",
    "claims",
    "claims_markdown",
    "claims_text",
    "claims_verdict",
    "correlation_blocks",
    "correlations",
    "decision_step",
    "decomposition",
    "decomposition_verdict",
    "difference_layout",
    "element_decomposition",
    "equilibrium",
    "equilibrium_points",
    "equilibrium_verdict",
    "equilibrium_whole",
    "example_fisher",
    "example_fisher_points",
    "final_overlap",
    "fisher_verdict",
    "has_bridge",
    "has_decomposition",
    "has_equilibrium",
    "has_example_fisher",
    "has_health",
    "has_identities",
    "has_oracle",
    "has_planted",
    "has_shadow",
    "has_theory",
    "health",
    "health_over_time",
    "health_points",
    "identities",
    "identities_verdict",
    "kept_sets",
    "last_change",
    "on_scheduler",
    "oracle_agreement",
    "oracle_effects",
    "oracle_regret",
    "oracle_reliability",
    "oracle_verdict",
    "overlap",
    "panel_ranks",
    "panel_steps",
    "penalty_overlap",
    "penalty_verdict",
    "planted_found",
    "planted_located",
    "planted_modules",
    "planted_ranks",
    "planted_summary",
    "planted_verdict",
    "posterior_factors",
    "posterior_facts",
    "published_table",
    "rank_by_penalty",
    "rank_distances",
    "rank_entropy",
    "rank_panels",
    "rank_panels_verdict",
    "ranks",
    "results_table",
    "runs_table",
    "settling",
    "shadow_verdict",
    "speed_effects",
    "speed_split",
    "speed_summary",
    "speed_verdict",
    "stability",
    "stability_verdict",
    "table_layout",
    "table_notes",
    "table_verdict",
    "theory",
    "theory_points",
    "unpruned_step",
    "verdict",
]

add_facts("posterior", posterior_facts)
