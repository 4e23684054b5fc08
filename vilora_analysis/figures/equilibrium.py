"""h as the optimizer's own update predicts it, and where h comes from, setting by setting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from vilora_analysis.figures.palette import COLOURS, GUIDE, group_look
from vilora_analysis.figures.panels import legend_above, letter, log_limits, panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, inches, number

__all__ = ["hessian_equilibrium"]

_SETTINGS = ["beta2", "ess", "hess_init"]
_SHARES = {
    "share_initial": ("initial value", "0.8"),
    "share_correction": ("correction term", "0.45"),
    "share_remainder": ("rest, as curvature", "#882255"),
}


def hessian_equilibrium(
    points: pd.DataFrame, shares: pd.DataFrame, *, caption: str = "", width: Width = DOUBLE_COLUMN
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
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        Above, a panel a factor: h of every triplet over what is left of the initial value plus the
        correction term, on log axes, with the line on which both are equal. Below, the shares of h
        by run; a rest below zero extends to the left.
    """
    runs = list(dict.fromkeys(shares["run"]))
    factors = [factor for factor in COLOURS if (shares["factor"] == factor).any()]
    page, across = inches(width), len(factors)
    heights = (0.34 * page, 0.5 + 0.17 * len(runs))
    layout: dict[str, Any] = {"letters": False, "height_ratios": heights, "caption": caption}
    with panel_row(page, sum(heights), across, down=2, **layout) as (figure, panels):
        above, below = panels[:across], panels[across:]
        for up, down, factor in zip(above, below, factors, strict=True):
            own = shares[shares["factor"] == factor]
            _scatter(up, points[points["factor"] == factor], runs)
            _bars(down, own, runs)
            said = f"{factor}\n{_mean_ratio(own)}"
            up.text(0.04, 0.97, said, va="top", transform=up.transAxes)
            up.set_xlabel("initial value + correction")
            down.set_yticks([])
        above[0].set_ylabel("recorded $h$")
        _name_runs(below[0], shares, runs)
        _legend(below[-1])
        for at, row in enumerate((above, below)):
            letter(row[0], at)
    return figure


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
            **group_look(at),
        )
    _set_limits(axes, points[(points["hess"] > 0) & (points["predicted"] > 0)])
    ends = np.array(axes.get_xlim())
    axes.plot(ends, ends, linestyle=(0, (4, 2)), scalex=False, scaley=False, **GUIDE)


def _set_limits(axes: Axes, shown: pd.DataFrame) -> None:
    """Both axes alike, so that equality is the diagonal."""
    both = shown[["predicted", "hess"]].to_numpy(dtype=float)
    for axis in (axes.xaxis, axes.yaxis):
        log_limits(axis, both, ticks=6)


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
            **group_look(at),
        )
    axes.tick_params(axis="y", length=0, pad=8)


def _legend(axes: Axes) -> None:
    """Above the panel, where it covers nothing."""
    handles = [h for h in axes.containers if h.get_label() in dict(_SHARES.values())]
    legend = legend_above(axes, handles, ncols=3, handlelength=1.0)
    if legend is not None:
        legend.set_in_layout(False)  # wider than its panel
