"""What the published single-precision SNR(|θ|) prunes, beside the form that does not cancel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from vilora_analysis.errors import ConfigError

__all__ = ["BREAKDOWN_SCORES", "breakdown", "breakdown_verdict"]

BREAKDOWN_SCORES: tuple[str, str] = ("snr_abs", "snr_abs_float32")
"""The stable form, and the published one."""

_COLUMNS = [f"score.{name}" for name in BREAKDOWN_SCORES]
_LARGEST = float(np.finfo(np.float32).max)
_PERCENT = 0.01


def breakdown(frame: pd.DataFrame, budget: int) -> pd.DataFrame:
    """Compare the sets that both forms keep.

    Parameters
    ----------
    frame
        Columns step, ``score.snr_abs`` and ``score.snr_abs_float32``, a row a triplet, as
        ``run.triplets`` or :func:`vilora_analysis.probes.rescoring.rescore` gives them.
    budget
        Triplets to keep.

    Returns
    -------
    DataFrame
        One row a step: ``triplets``, ``budget``; ``median``, of the stable form; ``off``, the share
        of triplets whose published value is more than 1% off; ``infinite``, of those that tie at
        the top, their variance having vanished in rounding; ``swapped``, how many of the kept the
        published form prunes, with exactly the budget kept and ties broken by position;
        ``kept_published``, how many the published rule keeps, which prunes all that tie with the
        threshold.

    Raises
    ------
    ConfigError
        If a column is missing, or the budget is not within 1 and the number of triplets.
    """
    missing = [name for name in ("step", *_COLUMNS) if name not in frame]
    if missing:
        raise ConfigError(
            f"no column {', '.join(missing)}; record with --scores default snr_abs_float32, or "
            "rescore recorded elements"
        )
    rows = []
    for step, group in frame.groupby("step"):
        if not 0 < budget <= len(group):
            raise ConfigError(f"budget {budget} lies outside 1 .. {len(group)}, the triplets")
        stable, published = (group[column].to_numpy(dtype=float) for column in _COLUMNS)
        infinite = published >= _LARGEST
        kept = [set(np.argsort(-x, kind="stable")[:budget]) for x in (stable, published)]
        rows.append(
            {
                "step": step,
                "triplets": len(group),
                "budget": budget,
                "median": float(np.median(stable)),
                "off": float(np.mean(np.abs(published / stable - 1) > _PERCENT)),
                "infinite": float(infinite.mean()),
                "swapped": len(kept[0] - kept[1]),
                "kept_published": _kept_by_published_rule(published, budget),
            }
        )
    return pd.DataFrame(rows)


def _kept_by_published_rule(score: np.ndarray, budget: int) -> int:
    excess = len(score) - budget
    return int((score > np.sort(score)[excess - 1]).sum()) if excess else budget


def breakdown_verdict(frame: pd.DataFrame) -> str:
    """Say what the breakdown would have done at the last step of a frame.

    Parameters
    ----------
    frame
        As :func:`breakdown` gives it.
    """
    last = frame.iloc[-1]
    said = (
        f"At step {last['step']:.0f} the published float32 SNR(|θ|) is infinite for "
        f"{last['infinite']:.0%} of the {last['triplets']:.0f} triplets and more than 1% off for "
        f"{last['off']:.0%}"
    )
    if not last["off"]:
        return f"{said}: it prunes as the stable form does."
    return (
        f"{said}; of {last['budget']:.0f} to keep it would have pruned {last['swapped']:.0f} that "
        f"the stable form keeps, and its rule for ties keeps {last['kept_published']:.0f} in all."
    )
