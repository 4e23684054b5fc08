"""Whether the identities held, in words to quote."""

from __future__ import annotations

import pandas as pd

from vilora_analysis.errors import ConfigError

__all__ = ["identities_verdict"]


def identities_verdict(frame: pd.DataFrame) -> str:
    """Say whether every identity held, and where one did not.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.identities` gives it.

    Raises
    ------
    ConfigError
        If the frame has no rows.
    """
    if frame.empty:
        raise ConfigError("expected the identities of at least one step, got none")
    broken = frame[~frame["holds"]]
    if len(broken):
        beyond = (broken["error"] / broken["bound"]).fillna(float("inf"))
        worst = broken.iloc[int(beyond.to_numpy().argmax())]
        return (
            f"{len(broken)} of {len(frame)} checks fail, the worst in {worst['factor']} at step "
            f"{worst['step']}: {worst['identity']} is off by {worst['error']:.2g}, where rounding "
            f"explains {worst['bound']:.2g}. This log contradicts itself; it is damaged or its "
            "settings are not those of the manifest."
        )
    equal = frame[frame["kind"] == "equality"]
    said = (
        f"All identities hold on the {_elements(equal):,} recorded elements of "
        f"{len(equal['step'].unique())} steps (largest relative error {equal['error'].max():.1g}, "
        f"rounding explains {equal['bound'].min():.1g})"
    )
    return f"{said}; {_orders(frame)}."


def _elements(equal: pd.DataFrame) -> int:
    """Of all steps together."""
    return int(equal.drop_duplicates(["step", "factor"])["n"].sum())


def _orders(frame: pd.DataFrame) -> str:
    """How alike the rankings are, and what that leaves for a triplet's score."""
    order = frame[frame["kind"] == "order"]
    same = order.groupby("identity", sort=False)["kendall"].min()
    told = ", ".join(f"{name} with tau {tau:.6f} or more" for name, tau in same.items())
    depth = order["error"].max()
    return (
        f"{told} (deepest inversion {depth:.1g}), so only the averaging over a triplet can tell "
        "these scores apart"
    )
