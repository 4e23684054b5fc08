"""Questions answered from logs alone: frames in, frames out, no torch.

Each file asks one question and answers it with a tidy frame that a figure can draw.
"""

from vilora_analysis.analysis.correlation import METHODS, correlations
from vilora_analysis.analysis.ranks import ranks
from vilora_analysis.analysis.runs import runs_table
from vilora_analysis.analysis.steps import decision_step
from vilora_analysis.analysis.theory import LINKS, has_theory, theory, theory_points

__all__ = [
    "LINKS",
    "METHODS",
    "correlations",
    "decision_step",
    "has_theory",
    "ranks",
    "runs_table",
    "theory",
    "theory_points",
]
