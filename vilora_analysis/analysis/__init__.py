"""Questions answered from logs alone: frames in, frames out, no torch.

Each file asks one question and answers it with a tidy frame that a figure can draw.
"""

from vilora_analysis.analysis.correlation import METHODS, correlations
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
from vilora_analysis.analysis.ranks import ranks
from vilora_analysis.analysis.runs import runs_table
from vilora_analysis.analysis.shadow import (
    churn,
    final_overlap,
    has_shadow,
    kept_sets,
    last_change,
    overlap,
    settling,
    shadow_verdict,
    stability,
    unpruned_step,
)
from vilora_analysis.analysis.steps import decision_step
from vilora_analysis.analysis.theory import LINKS, has_theory, theory, theory_points
from vilora_analysis.analysis.verdict import Verdict, posterior_facts, verdict
from vilora_analysis.log.summary import add_facts

__all__ = [
    "LINKS",
    "METHODS",
    "Verdict",
    "churn",
    "correlations",
    "decision_step",
    "final_overlap",
    "has_health",
    "has_oracle",
    "has_shadow",
    "has_theory",
    "health",
    "health_over_time",
    "health_points",
    "kept_sets",
    "last_change",
    "oracle_agreement",
    "oracle_effects",
    "oracle_regret",
    "oracle_reliability",
    "oracle_verdict",
    "overlap",
    "posterior_facts",
    "ranks",
    "runs_table",
    "settling",
    "shadow_verdict",
    "stability",
    "theory",
    "theory_points",
    "unpruned_step",
    "verdict",
]

add_facts("posterior", posterior_facts)
