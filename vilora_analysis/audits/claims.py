"""The paper's claims as an audit: one sheet, and a forest a task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.audits.definition import Answer, JointAudit
from vilora_analysis.log import Run

__all__ = ["CLAIMS", "claims_answer"]

_CAPTION = (
    "A row a test; its effect and {level:g}% interval in margins of the test (band). Solid: exact, "
    "by the sign-flip test or the jackknife; dotted: Student's, where too few pairs bound none, "
    "and which decides nothing. [shadow], [oracle]: one run a seed answers; else runs pruned by "
    "each score."
)


def claims_answer(frame: pd.DataFrame, alpha: float = 0.05) -> Answer:
    """The sheet, a figure a task, and the count of verdicts.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.claims` gives it.
    alpha
        The two-sided level it was made with.
    """
    caption = _CAPTION.format(level=100 * (1 - alpha))
    drawn = {
        "-".join(["claims", *re.findall(r"[\w.]+", task)]): partial(
            figures.claims_forest, frame[frame["task"] == task], caption=caption
        )
        for task in frame["task"].unique()
    }
    said = analysis.claims_verdict(frame)
    return Answer({"claims": frame}, drawn, said, tuple(frame.attrs["notes"]))


def _claims(runs: Sequence[Run]) -> Answer:
    return claims_answer(analysis.claims(runs))


def _lacking(runs: Sequence[Run]) -> str:
    finished = any(run.manifest.status == "finished" for run in runs)
    return "" if finished else "no run is finished"


CLAIMS = JointAudit("claims", "what do these runs say about the paper's claims?", _claims, _lacking)
