"""Every audit as one thing: what it asks, what it needs, its tables, its figure, its verdict.

``vilora analyze`` asks the first few of each run, ``vilora audit`` all of them, of each run and of
all together. To add an audit, write a function from a run to an :class:`Answer` and list it in the
file of its subject.
"""

from vilora_analysis.audits.ask import AUDITS, JOINT_AUDITS, Asked, ask_runs, planned
from vilora_analysis.audits.claims import claims_answer
from vilora_analysis.audits.definition import Answer, Audit, JointAudit
from vilora_analysis.audits.execute import Result, audit_runs
from vilora_analysis.audits.planted import planted_answer
from vilora_analysis.audits.write import (
    Writing,
    begin_answer,
    csv_text,
    write_answer,
    write_page,
    write_table,
)

__all__ = [
    "AUDITS",
    "JOINT_AUDITS",
    "Answer",
    "Asked",
    "Audit",
    "JointAudit",
    "Result",
    "Writing",
    "ask_runs",
    "audit_runs",
    "begin_answer",
    "claims_answer",
    "csv_text",
    "planned",
    "planted_answer",
    "write_answer",
    "write_page",
    "write_table",
]
