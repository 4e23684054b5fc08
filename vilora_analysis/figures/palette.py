"""One look for one thing in all figures: factors, scores, and runs or groups of them.

Colours of the three never meet: factors have those of Okabe and Ito (2008) that differ the most,
groups the others of theirs, scores darker ones. Each look has a marker and dashes as well, so that
nothing is told apart by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle, islice, product
from typing import Any

__all__ = [
    "COLOURS",
    "FACTOR_LINES",
    "FACTOR_POINTS",
    "GROUPS",
    "GUIDE",
    "QUIET",
    "RANKS",
    "SIGNED",
    "group_look",
    "score_look",
    "score_looks",
]

COLOURS = {"E": "#D55E00", "A": "#0072B2", "B": "#009E73"}
"""A colour a factor (Okabe and Ito 2008). They are equally dark: lines and points differ too."""

FACTOR_LINES: dict[str, dict[str, Any]] = {
    "E": {"color": COLOURS["E"], "linewidth": 1.2},
    "A": {"color": COLOURS["A"], "linewidth": 2.2},
    "B": {"color": COLOURS["B"], "linewidth": 1.0, "linestyle": (0, (3, 1))},
    "all": {"color": "black", "linewidth": 1.2, "linestyle": (0, (1, 1))},
}
"""Lines over time. B over the broad A: the two often coincide, and both are seen then."""

FACTOR_POINTS: dict[str, dict[str, Any]] = {
    "E": {"marker": "^", "s": 5, "alpha": 0.7, "linewidths": 0, "facecolors": COLOURS["E"]},
    "A": {"marker": "o", "s": 2, "linewidths": 0, "facecolors": COLOURS["A"], "zorder": 2},
    "B": {
        "marker": "s",
        "s": 7,
        "linewidths": 0.35,
        "edgecolors": COLOURS["B"],
        "facecolors": "none",
    },
}
"""Clouds of points. Open squares with the dots on top: rows of A and columns of B often lie on one
curve."""

RANKS = "cividis_r"
"""Colours of ranks and distances, as in the paper: the deeper, the higher. On white paper nothing
kept then takes the least ink, and grey keeps the order, for its lightness falls all the way."""

SIGNED = "RdBu_r"
"""Colours of what has a sign, and of nothing else. Both ends are dark: in grey the sign is read
from the cell."""

GUIDE: dict[str, Any] = {"color": "0.35", "linewidth": 0.8}
"""Lines that are no data."""

QUIET: dict[str, Any] = {"color": "0.45", "marker": "."}
"""What is shown for completeness, and named on the axis alone."""

GROUPS = tuple(
    {"color": colour, "marker": marker}
    for colour, marker in zip(
        ("#000000", "#E69F00", "#56B4E9", "#CC79A7", "#8A7A00", "#7F7F7F", "#4B0055"),
        "os^DvPX",
        strict=True,
    )
)
"""Runs, or groups of them, in the order in which they come."""

_SOLID, _DASHED, _DOTTED, _MIXED = "-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1))
# what the paper prunes by is solid, and four steps of grey; what is akin to it dashed
_PUBLISHED: dict[str, tuple[str, str, Any]] = {
    "snr": ("#332288", "o", _SOLID),
    "mean_abs": ("#0F6B2D", "D", _SOLID),
    "inverse_std": ("#BB5FAE", "^", _SOLID),
    "sensitivity": ("#EE7F3B", "v", _SOLID),
    "snr_abs": ("#4FA3D9", "s", _DASHED),
    "expected_abs": ("#7FA53A", "P", _DASHED),
    "sensitivity_raw": ("#5C4430", "X", _DASHED),
    "sensitivity_smoothed": ("#A33B14", "<", _DASHED),
    "sensitivity_uncertainty": ("#C9A227", ">", _DASHED),
    "random": ("#7F7F7F", "*", _DOTTED),
}
_WIDER = (
    "fisher",
    "obd",
    "taylor",
    "gradient_accumulated",
    "wald",
    "log_density_drop",
    "value_abs",
    "triplet_norm",
    "group_taylor",
    "group_fisher",
    "snr_abs_float32",
)
_INKS = [colour for colour, _, dashes in _PUBLISHED.values() if dashes is not _DOTTED]
_MARKERS = "phHd8os^DvPX"


def group_look(at: int) -> dict[str, Any]:
    """Colour and marker of a run or group by its place; they come again after the last."""
    return GROUPS[at % len(GROUPS)]


def score_looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes by score: the same in each figure for scores of this package.

    Parameters
    ----------
    names
        Scores; those that somebody defined have a look by their order among themselves.

    Examples
    --------
    >>> looks = score_looks(["mine", "snr"])
    >>> looks["snr"] == score_looks(["snr", "mean_abs"])["snr"]
    True
    >>> looks["snr"]["color"], looks["mine"]["color"]
    ('#332288', '#332288')
    >>> looks["snr"]["linestyle"] == looks["mine"]["linestyle"]
    False
    """
    others = cycle(_spare(_MIXED, (0, (6, 1, 1, 1, 1, 1)), (0, (2, 2)), (0, (8, 2))))
    return {name: _KNOWN.get(name) or next(others) for name in dict.fromkeys(names)}


def score_look(name: str) -> dict[str, Any]:
    """Look of one score, see :func:`score_looks`."""
    return score_looks([name])[name]


def _spare(*dashes: Any) -> Iterable[dict[str, Any]]:
    looks = zip(product(dashes, _INKS), cycle(_MARKERS), strict=False)
    return [_look(colour, marker, dash) for (dash, colour), marker in looks]


def _look(colour: str, marker: str, dashes: Any) -> dict[str, Any]:
    return {"color": colour, "marker": marker, "linestyle": dashes}


_KNOWN = {name: _look(*look) for name, look in _PUBLISHED.items()} | dict(
    zip(_WIDER, islice(cycle(_spare(_DOTTED, (0, (2, 1)))), len(_WIDER)), strict=True)
)
