"""Units of the columns that the analyses' frames share."""

from __future__ import annotations

from vilora_analysis.audits.definition import Answer

__all__ = ["UNITS", "with_units"]

_STEPS = ("step", "since", "settled", "final_step", "last_change")
_TRIPLETS = ("rank", "init_rank", "budget", "n_kept", "triplets", "size_a", "size_b")
_NUMBERS = (
    *("spearman", "slope", "r2", "corrected", "p_value", "sigma_cv", "initial_share"),
    *("hess_fisher", "snr_mean_abs", "share_mu", "share_sigma", "share_rest"),
)
UNITS = {
    **dict.fromkeys(_STEPS, "steps"),
    **dict.fromkeys(_TRIPLETS, "triplets"),
    **dict.fromkeys(_NUMBERS, "1"),
    "seconds": "s",
}
"""By column; those of the log itself say theirs in the files."""


def with_units(answer: Answer) -> Answer:
    """Say in each table's ``.attrs["units"]`` what its columns are in, where that is known."""
    for frame in answer.tables.values():
        known = {name: UNITS[name] for name in map(str, frame.columns) if name in UNITS}
        frame.attrs["units"] = {**known, **frame.attrs.get("units", {})}
    return answer
