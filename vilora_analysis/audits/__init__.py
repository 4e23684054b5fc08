"""Every audit as one thing: what it asks, what it needs, its tables, its figure, its verdict.

``vilora analyze`` asks the first few of each run, ``vilora audit`` all of them, of each run and of
all together. To add an audit, write a function from a run to an :class:`Answer` and list it in the
file of its subject.
"""

from vilora_analysis.audits.claims import claims_answer
from vilora_analysis.audits.definition import Answer, Audit, JointAudit
from vilora_analysis.audits.execute import AUDITS, JOINT_AUDITS, Result, audit_runs, planned
from vilora_analysis.audits.planted import planted_answer
from vilora_analysis.audits.write import write_answer, write_page, write_table

__all__ = [
    "AUDITS",
    "JOINT_AUDITS",
    "Answer",
    "Audit",
    "JointAudit",
    "Result",
    "audit_runs",
    "claims_answer",
    "planned",
    "planted_answer",
    "write_answer",
    "write_page",
    "write_table",
]
