"""Do the scores find what was planted? Counts against a known truth, over seeds."""

from vilora_analysis.analysis.planted.answers import planted_modules
from vilora_analysis.analysis.planted.chance import chance_of_finding, expected_found
from vilora_analysis.analysis.planted.found import (
    CHANCE,
    MULTIPLES,
    ORACLE,
    has_planted,
    planted_found,
    planted_ranks,
)
from vilora_analysis.analysis.planted.located import (
    average_precision,
    expected_average_precision,
    planted_located,
    roc_auc,
)
from vilora_analysis.analysis.planted.seeds import planted_summary, planted_verdict

__all__ = [
    "CHANCE",
    "MULTIPLES",
    "ORACLE",
    "average_precision",
    "chance_of_finding",
    "expected_average_precision",
    "expected_found",
    "has_planted",
    "planted_found",
    "planted_located",
    "planted_modules",
    "planted_ranks",
    "planted_summary",
    "planted_verdict",
    "roc_auc",
]
