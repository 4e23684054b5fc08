"""The bridge in words to quote."""

from __future__ import annotations

import pandas as pd

__all__ = ["bridge_verdict"]


def bridge_verdict(frame: pd.DataFrame, *, when: str = "") -> str:
    """Say which swap moves the ranking, for the whole triplets at the last step of a frame.

    Parameters
    ----------
    frame
        As :func:`bridge` gives it.
    when
        What the sentence begins with, for a mean over runs; by default the step.
    """
    rows = frame[(frame["part"] == "all") & (frame["step"] == frame["step"].max())]
    rows = rows.sort_values("nearer", key=abs, ascending=False)
    if rows.empty or rows["nearer"].isna().any():
        return "Sensitivity and snr cannot be bridged here: a score between them is constant."
    step, apart = rows["step"].iloc[0], float(rows["apart"].iloc[0])
    parts = ", ".join(f"{s} {n:+.3f}" for s, n in zip(rows["swap"], rows["nearer"], strict=True))
    widest = rows.loc[rows["moved"].idxmax()]
    return (
        f"{when or f'At step {step}'} sensitivity and snr rank with Spearman {1 - apart:.3f}; "
        f"of the {apart:.3f} between them each swap brings: {parts}. Whether nearer or not, "
        f"{widest['swap']} moves the ranking most ({widest['moved']:.3f})."
    )
