"""h as the optimizer's own update predicts it, and where h comes from, setting by setting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter

from vilora_analysis.figures.style import (
    COLOURS,
    DOUBLE_COLUMN,
    StyledFigure,
    add_caption,
    number,
    styled,
)

__all__ = ["hessian_equilibrium"]

_SETTINGS = ["beta2", "ess", "hess_init"]
_SHARES = {
    "share_initial": ("initial value", "0.72"),
    "share_correction": ("correction term", "#0072B2"),
    "share_remainder": ("rest, as curvature", "#D55E00"),
}
# Okabe and Ito (2008), the yellow darkened; a marker each, so that grey tells them apart too
_RUN_COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#B5A800", "#0072B2", "#D55E00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_LEAST_DECADES = 2.2


def hessian_equilibrium(
    points: pd.DataFrame, shares: pd.DataFrame, *, caption: str = "", width: float = DOUBLE_COLUMN
) -> Figure:
    """Draw h against its prediction without curvature, and what it is made up of.

    Parameters
    ----------
    points
        As :func:`vilora_analysis.analysis.equilibrium_points` gives it; of several runs,
        concatenated.
    shares
        As :func:`vilora_analysis.analysis.equilibrium` gives it, one step of the same runs.
    caption
        A line to stand below, for example the verdict.
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
        Above, a panel a factor: h of every triplet over what is left of the initial value plus the
        correction term, on log axes, with the line on which both are equal. Below, the shares of h
        by run; a rest below zero extends to the left.
    """
    with styled():
        runs = list(dict.fromkeys(shares["run"]))
        factors = [factor for factor in COLOURS if (shares["factor"] == factor).any()]
        heights = (0.34 * width, 0.5 + 0.17 * len(runs))
        figure = StyledFigure(figsize=(width, sum(heights)))
        panels = figure.subplots(2, len(factors), squeeze=False, height_ratios=heights)
        for column, factor in enumerate(factors):
            _scatter(panels[0][column], points[points["factor"] == factor], runs)
            _bars(panels[1][column], shares[shares["factor"] == factor], runs)
            said = _mean_ratio(shares[shares["factor"] == factor])
            panels[0][column].text(
                0.04, 0.97, f"{factor}\n{said}", va="top", transform=panels[0][column].transAxes
            )
            panels[0][column].set_xlabel("initial value + correction")
            panels[1][column].set_yticks([])
        panels[0][0].set_ylabel("recorded $h$")
        _name_runs(panels[1][0], shares, runs)
        _legend(panels[1][-1])
        for row, letter in enumerate("ab"):
            panels[row][0].annotate(
                f"({letter})", (0, 1), (-30, 7), "axes fraction", "offset points", fontsize=7.5
            )
        add_caption(figure, caption)
    return figure


def _look(run: int) -> dict[str, Any]:
    return {
        "color": _RUN_COLOURS[run % len(_RUN_COLOURS)],
        "marker": _MARKERS[run % len(_MARKERS)],
    }


def _mean_ratio(shares: pd.DataFrame) -> str:
    """Recorded over predicted, as it stands in the frame, from the least run to the most."""
    low, high = number(float(shares["ratio"].min())), number(float(shares["ratio"].max()))
    return f"mean ratio {low}" + ("" if low == high else f" to {high}")


def _scatter(axes: Axes, points: pd.DataFrame, runs: list[str]) -> None:
    axes.set(xscale="log", yscale="log")
    for at, run in enumerate(runs):
        chosen = points[(points["run"] == run) & (points["hess"] > 0) & (points["predicted"] > 0)]
        axes.scatter(
            chosen["predicted"],
            chosen["hess"],
            s=3,
            linewidths=0,
            alpha=0.7,
            label=run,
            **_look(at),
        )
    _set_limits(axes, points[(points["hess"] > 0) & (points["predicted"] > 0)])
    ends = np.array(axes.get_xlim())
    axes.plot(
        ends, ends, color="0.35", linestyle=(0, (4, 2)), linewidth=0.8, scalex=False, scaley=False
    )


def _set_limits(axes: Axes, shown: pd.DataFrame) -> None:
    """Both axes alike, so that equality is the diagonal."""
    if shown.empty:
        return
    logs = np.log10(shown[["predicted", "hess"]].to_numpy(dtype=float))
    low, high = float(logs.min()), float(logs.max())
    margin = max(0.05 * (high - low), (_LEAST_DECADES - (high - low)) / 2)
    limits = (10 ** (low - margin), 10 ** (high + margin))
    axes.set(xlim=limits, ylim=limits)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_locator(NullLocator())


def _bars(axes: Axes, shares: pd.DataFrame, runs: list[str]) -> None:
    rows = shares.set_index("run").reindex(runs)
    places = np.arange(len(runs))
    right, left = np.zeros(len(runs)), np.zeros(len(runs))
    for column, (label, colour) in _SHARES.items():
        values = rows[column].to_numpy(dtype=float)
        start = np.where(values < 0, left, right)
        axes.barh(places, values, left=start, height=0.72, color=colour, label=label)
        right, left = right + np.clip(values, 0, None), left + np.clip(values, None, 0)
    axes.axvline(0, color="0.2", linewidth=0.6)
    axes.set(ylim=(len(runs) - 0.5, -0.5), xlabel="share of $h$")
    axes.xaxis.set_major_formatter(PercentFormatter(1))


def _name_runs(axes: Axes, shares: pd.DataFrame, runs: list[str]) -> None:
    rows = shares.drop_duplicates("run").set_index("run").loc[runs, _SETTINGS]
    axes.set_yticks(
        range(len(runs)),
        [
            rf"$\beta_2$ {row.beta2:g}, $\lambda$ {row.ess:.0e}, $h_0$ {row.hess_init:g}".replace(
                "e+0", "e"
            ).replace("e+", "e")
            for row in rows.itertuples()
        ],
    )
    for at in range(len(runs)):
        axes.plot(
            [-0.02],
            [at],
            transform=axes.get_yaxis_transform(),
            clip_on=False,
            markersize=3,
            **_look(at),
        )
    axes.tick_params(axis="y", length=0, pad=8)


def _legend(axes: Axes) -> None:
    """Above the panel, where it covers nothing."""
    handles = [h for h in axes.containers if h.get_label() in dict(_SHARES.values())]
    legend = axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.03, 0.98),
        ncols=3,
        handlelength=1.0,
        columnspacing=0.9,
        handletextpad=0.4,
        borderpad=0.1,
    )
    legend.set_in_layout(False)  # wider than its panel
