"""What of a run an analysis looks at: which step, and which factors have a posterior."""

from __future__ import annotations

import numpy as np

from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["decision_step", "posterior_factors"]


def decision_step(run: Run) -> int:
    """The recorded step at which the kept set was last decided.

    There the scores still rank all triplets; afterwards the values of the pruned ones are held at
    zero, and a score of zero says nothing. Without decisions, the last recorded step.

    Raises
    ------
    LogError
        If no step is recorded; it says why.
    """
    steps = run.steps
    if not len(steps):
        raise LogError(f"{run.path} has no recorded steps: {_why_none(run)}")
    events = run.events()
    decided = events["step"].to_numpy() if len(events) else steps
    common = np.intersect1d(decided, steps)
    return int(common[-1] if len(common) else steps[-1])


def posterior_factors(run: Run) -> tuple[str, ...]:
    """Factors whose sigma was recorded: E, A, B; A, B of LoRA; none without a posterior."""
    return tuple(f for f in ("E", "A", "B") if f"sigma_{f}" in run.columns)


def _why_none(run: Run) -> str:
    if not run.manifest.n_triplets:
        return "no matrix was adapted, so there are metrics only"
    taken, every = max(run.metrics()["step"], default=0), run.manifest.every
    if 0 < taken < every:
        return f"one step in {every} is recorded, and the run took {taken}; record more often"
    return "was it killed before the first flush?"
