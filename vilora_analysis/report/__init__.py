"""The audit as one page of HTML that a colleague can open: no network, no other file.

``vilora report`` writes it; :func:`write_report` does the same for whoever has runs at hand.
"""

from vilora_analysis.figures.drawing import drawing_process
from vilora_analysis.report.make import report_page, write_report

__all__ = ["drawing_process", "report_page", "write_report"]
