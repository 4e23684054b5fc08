"""Claims sheet: each claim of the paper, the test, the data, and what these could have shown."""

from vilora_analysis.analysis.claims.definition import RUNS, Claim
from vilora_analysis.analysis.claims.paper import CLAIMS
from vilora_analysis.analysis.claims.sheet import claims
from vilora_analysis.analysis.claims.text import claims_markdown, claims_text, claims_verdict

__all__ = [
    "CLAIMS",
    "RUNS",
    "Claim",
    "claims",
    "claims_markdown",
    "claims_text",
    "claims_verdict",
]
