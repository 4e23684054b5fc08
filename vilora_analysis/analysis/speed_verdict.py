"""What the measured steps say of the paper's 10%, in words."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from vilora_analysis.analysis.speed_rounds import records

__all__ = ["speed_verdict"]


def speed_verdict(
    effects: pd.DataFrame, allocate_every: int = 10, *, split: pd.DataFrame | None = None
) -> str:
    """Say how the paper's comparison came out here, and what each change contributed.

    Parameters
    ----------
    effects
        As :func:`vilora_analysis.analysis.speed_effects` gives them.
    allocate_every
        Steps between two prunings that they were reckoned for.
    split
        As :func:`vilora_analysis.analysis.speed_split` gives it, for what could be saved at most.

    Returns
    -------
    str
        A sentence on the paper's comparison, both sides in PEFT's loop; one on its two changes; one
        on this package's allocator; with the split, one on how much of the published way's step
        allocation takes, which is more precise than a difference of two times.
    """
    rows = {row["effect"]: row for row in records(effects)}
    optimizer, paper = rows["optimizer"], rows["paper's comparison"]
    every = "step" if allocate_every == 1 else f"{allocate_every} steps"
    said = (
        f"Pruning every {every}, a step of snr under IVON takes {_less(paper)} than one of "
        f"sensitivity under AdamW, both in PEFT's loop: {_judge(paper)}. In points of that, IVON "
        f"for AdamW saves {_signed(optimizer)} (the paper: {optimizer['paper']:+.0f}), snr for "
        f"sensitivity "
        f"{_signed(rows['criterion'])}. This package's allocator for PEFT's loop saves "
        f"{_signed(rows['allocator'])} more; with it, snr under IVON takes "
        f"{_less(rows['all together'])} than the published way."
    )
    return re.sub(r"-(?=\d)", "−", said + _bound(split))


def _bound(split: pd.DataFrame | None) -> str:
    """What no choice of criterion and allocator can save more than; the baseline comes first."""
    parts = [] if split is None else records(split)
    for part in parts:
        if part["phase"] == "allocation" and part["variant"] == parts[0]["variant"]:
            return (
                f" By the clock within the step, allocation is {100 * part['share']:.1f}% of the "
                "published way's, the most that a criterion or an allocator can save here."
            )
    return ""


def _less(row: dict[str, Any]) -> str:
    more = row["percent"] < 0
    ends = (-row["high"], -row["low"]) if more else (row["low"], row["high"])
    word = "more" if more else "less"
    return f"{abs(row['percent']):.1f}% {word} time (95% interval {ends[0]:.1f} to {ends[1]:.1f})"


def _signed(row: dict[str, Any]) -> str:
    return f"{row['percent']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"


def _judge(row: dict[str, Any]) -> str:
    low, high, claimed = row["low"], row["high"], row["paper"]
    claim = f"the paper's 10% speed-up ({claimed:.1f}% less time)"
    if high < 0:
        return f"slower, against {claim}"
    if low <= 0:
        if claimed <= high:
            return f"cannot tell, neither no gain nor {claim} is excluded"
        return f"no gain is shown, and {claim} is excluded"
    if low <= claimed <= high:
        return f"in agreement with {claim}"
    return f"{'more' if low > claimed else 'less'} than {claim}"
