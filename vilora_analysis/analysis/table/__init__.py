"""The paper's Table I from recorded runs: a tidy frame, and what is printed of it."""

from vilora_analysis.analysis.table.frame import results_table
from vilora_analysis.analysis.table.layout import (
    MISSING,
    Layout,
    Line,
    Section,
    Shown,
    difference_layout,
    table_layout,
)
from vilora_analysis.analysis.table.notes import table_notes
from vilora_analysis.analysis.table.published import published_table
from vilora_analysis.analysis.table.words import table_verdict

__all__ = [
    "MISSING",
    "Layout",
    "Line",
    "Section",
    "Shown",
    "difference_layout",
    "published_table",
    "results_table",
    "table_layout",
    "table_notes",
    "table_verdict",
]
