"""What the oracle says of the scores: who ranks like it, and what pruning by each costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import GUIDE, QUIET, score_looks
from vilora_analysis.figures.panels import panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, SMALLEST, Width, inches

__all__ = ["oracle_scores"]

_OWN = {
    "oracle": ("--", "oracle: least helpful first"),
    "oracle-absolute": ("-.", "oracle: least change first"),
    "oracle-moved": (":", "oracle: least moved first"),
}
_MOST = 12
_TITLES = {
    "signed": "Spearman with the change\nof the loss without each",
    "absolute": "Spearman with the\nsize of that change",
    "moved": "Spearman with its mean\nsize by example",
}


def oracle_scores(
    agreement: pd.DataFrame,
    regret: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    ceilings: Mapping[str, float] | None = None,
    targets: Sequence[str] = ("signed", "moved"),
    shown: Sequence[str] | None = None,
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
) -> Figure:
    """Draw rank agreement with the oracle, and the loss when each score's lowest are removed.

    Parameters
    ----------
    agreement
        As :func:`vilora_analysis.analysis.oracle_agreement` gives it.
    regret
        As :func:`vilora_analysis.analysis.oracle_regret` gives it.
    labels
        Label by score.
    ceilings
        By target the correlation that a perfect score would reach on these examples.
    targets
        What the oracle is asked, a panel each.
    shown
        Scores whose losses are drawn; by default the first dozen of those that agree best.
    caption
        A line to stand below.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        First the targets' panels: a point and an interval a score, the best at the last target on
        top, a colour and marker for those whose losses are shown. Then the loss by the number of
        removed triplets, a line a score, random sets as a band.

    Raises
    ------
    ConfigError
        If there is nothing to draw.
    """
    ranks = agreement[agreement["measure"] == "spearman"]
    last = ranks[ranks["target"] == targets[-1]].sort_values("value", na_position="first")
    if last.empty:
        raise ConfigError("there are no scores to draw; the run has recorded none")
    names = last["score"].tolist()
    lines = names[::-1][:_MOST] if shown is None else list(shown)
    look = score_looks(lines)
    page, ratios = inches(width), (*([1] * len(targets)), 1.35)
    height = max(0.42 * page, 0.13 * len(names) + 0.8)
    frame = panel_row(page, height, len(ratios), width_ratios=ratios, caption=caption)
    with frame as (figure, (*panels, right)):
        for axes, target in zip(panels, targets, strict=True):
            rows = ranks[ranks["target"] == target].set_index("score").loc[names]
            _agreement(axes, rows, look, (ceilings or {}).get(target))
            axes.set_xlabel(_TITLES[target])
        panels[0].set_yticks(range(len(names)), [labels.get(name, name) for name in names])
        _losses(right, regret, labels, look)
        figure.legend(loc="outside right center", fontsize=SMALLEST + 0.5, handlelength=2.4)
    return figure


def _agreement(
    axes: Axes, ranks: pd.DataFrame, look: Mapping[str, dict[str, Any]], ceiling: float | None
) -> None:
    axes.axvline(0, **GUIDE)
    for height, (name, row) in enumerate(ranks.iterrows()):
        style = {**look.get(str(name), QUIET), "linestyle": "-"}
        axes.plot([row["low"], row["high"]], [height] * 2, color=style["color"], linewidth=1.2)
        axes.plot([row["value"]], [height], markersize=4, **style)
    if ceiling is not None and np.isfinite(ceiling):
        axes.axvline(ceiling, linestyle="--", **GUIDE)
        axes.text(ceiling, len(ranks) - 0.4, "ceiling", fontsize=SMALLEST, ha="right", va="bottom")
    axes.set_yticks(range(len(ranks)), [""] * len(ranks))
    axes.set_ylim(-0.6, len(ranks) - 0.2)


def _losses(
    axes: Axes,
    regret: pd.DataFrame,
    labels: Mapping[str, str],
    look: Mapping[str, dict[str, Any]],
) -> None:
    drawn = regret[regret["order"] == "random"].sort_values("removed")
    spread = drawn["spread"].fillna(0)
    axes.fill_between(
        drawn["removed"],
        drawn["loss"] - spread,
        drawn["loss"] + spread,
        color="0.85",
        linewidth=0,
        label="random (±1 s.d.)",
    )
    for order, (line, said) in _OWN.items():
        own = regret[regret["order"] == order].sort_values("removed")
        if len(own):
            axes.plot(own["removed"], own["loss"], color="0.3", linestyle=line, label=said)
    for name, style in look.items():
        rows = regret[regret["order"] == name].sort_values("removed")
        axes.plot(
            rows["removed"],
            rows["loss"],
            label=labels.get(name, name),
            linewidth=0.9,
            markersize=3,
            **style,
        )
    axes.set_xlabel("triplets removed together")
    axes.set_ylabel("held-out loss")
