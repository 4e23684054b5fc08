"""How well each score knows what the oracle found: the loss without each triplet.

What the oracle found can be asked for in three ways, :data:`TARGETS`. A score of importance speaks
of how much a triplet does, and none of those here has a sign: whether the held-out loss rises or
falls without a triplet (``signed``) is more than they claim to know.
"""

from vilora_analysis.analysis.oracle.agreement import oracle_agreement, oracle_reliability
from vilora_analysis.analysis.oracle.effects import TARGETS, has_oracle, oracle_effects
from vilora_analysis.analysis.oracle.regret import oracle_regret
from vilora_analysis.analysis.oracle.verdict import oracle_verdict

__all__ = [
    "TARGETS",
    "has_oracle",
    "oracle_agreement",
    "oracle_effects",
    "oracle_regret",
    "oracle_reliability",
    "oracle_verdict",
]
