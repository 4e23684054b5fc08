"""What is lost by removing the lowest of each score together."""

from __future__ import annotations

import pandas as pd

from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.oracle import OracleFiles

__all__ = ["oracle_regret"]

_RECOVERED = ("recovered_loss", "recovered_right")


def oracle_regret(run: Run) -> pd.DataFrame:
    """What is lost by removing the lowest of each score together.

    Returns
    -------
    DataFrame
        One row an order (a score; ``oracle``, ``oracle-absolute`` and ``oracle-moved`` for the
        orders of the single effects; ``random``) and number ``removed``: held-out ``loss``, share
        classified ``right``, and ``regret``, the loss beyond that of the oracle's signed order;
        ``recovered_loss`` and ``recovered_right`` after a few steps of training, where the oracle
        was asked for them. For ``random`` the means over draws, with the standard deviation
        ``spread`` of the loss. Removed together, triplets need not add up: a score may do better
        than the oracle's order.

    Raises
    ------
    LogError
        If the oracle has no losses of sets yet.
    """
    sets = OracleFiles(run.path).sets()
    if sets is None:
        raise LogError(f"{run.path} has no losses of sets; finish it with vilora oracle")
    order = sets["order"].str.replace(r"^random-\d+$", "random", regex=True)
    grouped = sets.assign(order=order).groupby(["order", "removed"], sort=False)
    measured = [name for name in ("loss", "right", *_RECOVERED) if name in sets]
    frame = grouped[measured].mean().assign(spread=grouped["loss"].std()).reset_index()
    best = frame[frame["order"] == "oracle"].set_index("removed")["loss"]
    return frame.assign(regret=frame["loss"] - frame["removed"].map(best))
