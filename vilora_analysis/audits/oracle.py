"""What the oracle's answer says of the scores."""

from __future__ import annotations

import math
from functools import partial

from vilora_analysis import analysis, figures
from vilora_analysis.audits.definition import Answer, Audit, needs
from vilora_analysis.audits.shown import labels, of_shown
from vilora_analysis.log import Run
from vilora_analysis.log.oracle import TARGETS

__all__ = ["ORACLE", "oracle_answer"]

_SHOWN = ("snr", "snr_abs", "mean_abs", "inverse_std", "sensitivity", "random")
_ROOM = 30


def oracle_answer(run: Run) -> Answer:
    """Tables, the figure and the verdict of an oracle that was asked."""
    effects, regret = analysis.oracle_effects(run), analysis.oracle_regret(run)
    agreement = analysis.oracle_agreement(run)
    proposed = of_shown(run, agreement, "score", room=_ROOM)
    reliability = {target: analysis.oracle_reliability(run, target) for target in TARGETS}
    examples = int(effects["examples"].iloc[0])
    caption = (
        f"{len(effects)} triplets of {run.name}, {examples} held-out examples. (a), (b) 95% "
        "bootstrap intervals over examples; ceiling: what a perfect score would reach on as many. "
        "(c) The lowest by each score removed at once, nothing retrained."
    )
    draw = partial(
        figures.oracle_scores,
        proposed,
        regret,
        labels(run),
        ceilings={name: math.sqrt(max(value, 0.0)) for name, value in reliability.items()},
        shown=[name for name in _SHOWN if name in run.score_names] or None,
        caption=caption,
    )
    tables = {"oracle_effects": effects, "oracle_agreement": agreement, "oracle_regret": regret}
    said = analysis.oracle_verdict(proposed, reliability)
    return Answer(tables, {"oracle": draw}, said)


ORACLE = (
    Audit(
        "oracle",
        "which score knows what the model loses without each triplet?",
        oracle_answer,
        needs(analysis.has_oracle, "it was not asked (vilora oracle RUN --data-dir DIR)"),
    ),
)
