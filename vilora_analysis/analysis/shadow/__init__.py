"""Shadow allocation: from one run, what every recorded score would have kept at each decision.

A shadow is not a run of its own. Each decision is taken anew from the scores of that step, with the
budget of that step, but the weights behind them are those that the run's own criterion left: what
it pruned had its value set to zero, so that every score sees it as smaller than it would have been.
That favours agreement with the set that was kept, and so among the scores. Until the first decision
nothing of this has happened; :func:`final_overlap` compares there too.
"""

from vilora_analysis.analysis.shadow.churn import all_changes, churn, last_change, settling
from vilora_analysis.analysis.shadow.overlap import final_overlap, overlap
from vilora_analysis.analysis.shadow.sets import (
    ACTUAL,
    KeptSets,
    has_shadow,
    kept_sets,
    unpruned_step,
)
from vilora_analysis.analysis.shadow.stability import stability
from vilora_analysis.analysis.shadow.verdict import shadow_verdict, stability_verdict

__all__ = [
    "ACTUAL",
    "KeptSets",
    "all_changes",
    "churn",
    "final_overlap",
    "has_shadow",
    "kept_sets",
    "last_change",
    "overlap",
    "settling",
    "shadow_verdict",
    "stability",
    "stability_verdict",
    "unpruned_step",
]
