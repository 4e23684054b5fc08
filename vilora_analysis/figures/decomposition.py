"""What the SNR is made of: magnitude, inverse width, and what averaging over elements leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vilora_analysis.errors import ConfigError
from vilora_analysis.figures.palette import COLOURS, FACTOR_LINES, GUIDE, score_look
from vilora_analysis.figures.panels import legend_above, panel_row
from vilora_analysis.figures.style import DOUBLE_COLUMN, Width, inches, readable_on

__all__ = ["snr_decomposition"]

_PARTS = {
    "mu": (r"$|\mu|$", score_look("mean_abs")["color"]),
    "sigma": (r"$1/\sigma$", score_look("inverse_std")["color"]),
    "rest": ("rest", "0.75"),
}
_ORDER = [*COLOURS, "all"]
_LEAST = 0.06  # narrower, a bar has no room for its number


def snr_decomposition(
    frame: pd.DataFrame,
    over_time: pd.DataFrame | None = None,
    *,
    caption: str = "",
    width: Width = DOUBLE_COLUMN,
) -> Figure:
    """Draw how much of the SNR each ingredient explains, by factor and by step.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.decomposition` gives it, for one step.
    over_time
        The same for all steps; None leaves the third panel out.
    caption
        A line to stand below, for example the verdict.
    width
        Of the figure, in inches, or a column by name.

    Returns
    -------
    Figure
        Shares of the variance of log snr, and of its ranking, as stacked bars; then the share of
        the variance that is magnitude, by step, with the step of the bars marked. A negative share
        extends to the left of zero.

    Raises
    ------
    ConfigError
        If the frame is not of one step.
    """
    steps = frame["step"].unique()
    if len(steps) != 1:
        raise ConfigError(
            f"expected the rows of one step, got {', '.join(map(str, steps)) or 'none'}; choose one"
        )
    page, across = inches(width), 2 if over_time is None else 3
    with panel_row(page, 0.26 * page, across, caption=caption) as (figure, axes):
        rows = frame.set_index("factor").reindex([f for f in _ORDER if f in set(frame["factor"])])
        _bars(axes[0], rows, "share", ("mu", "sigma", "rest"), "of the variance of log snr")
        _bars(axes[1], rows, "rank", ("mu", "sigma"), "of the ranking by snr")
        legend_above(axes[0], axes[0].containers, ncols=3, handlelength=1.0)
        if over_time is not None:
            _over_time(axes[2], over_time, int(steps[0]))
    return figure


def _bars(axes: Axes, rows: pd.DataFrame, measure: str, parts: tuple[str, ...], label: str) -> None:
    places = [float(place) for place in range(len(rows))]
    right, left = np.zeros(len(rows)), np.zeros(len(rows))
    for part in parts:
        name, colour = _PARTS[part]
        values = rows[f"{measure}_{part}"].to_numpy(dtype=float)
        known = np.nan_to_num(values)
        start = np.where(known < 0, left, right)
        axes.barh(places, known, left=start, height=0.7, color=colour, label=name)
        for place, at, value in zip(places, start, known, strict=True):
            if abs(value) >= _LEAST:
                axes.text(
                    at + value / 2,
                    place,
                    f"{100 * value:.0f}".replace("-", "−"),
                    ha="center",
                    va="center",
                    fontsize=6,
                    color=readable_on(colour),
                )
        right, left = right + np.clip(known, 0, None), left + np.clip(known, None, 0)
    for place, value in zip(places, rows[f"{measure}_mu"], strict=True):
        if np.isnan(value):
            axes.text(0.02, place, "snr does not vary", va="center", fontsize=6, color="0.35")
    axes.axvline(0, color="0.2", linewidth=0.6)
    axes.set_yticks(places, ["whole\ntriplet" if f == "all" else str(f) for f in rows.index])
    axes.tick_params(axis="y", length=0)
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=f"share {label}")
    axes.set_xlim(min(0.0, 1.05 * float(left.min())), max(1.0, 1.02 * float(right.max())))
    axes.xaxis.set_major_formatter(PercentFormatter(1))


def _over_time(axes: Axes, over_time: pd.DataFrame, step: int) -> None:
    for factor in [f for f in _ORDER if f in set(over_time["factor"])]:
        rows = over_time[over_time["factor"] == factor]
        label = "whole triplet" if factor == "all" else factor
        axes.plot(rows["step"], rows["share_mu"], label=label, **FACTOR_LINES[factor])
    axes.axvline(step, linestyle=(0, (1, 1.5)), zorder=0, **GUIDE)
    axes.set(xlabel="step", ylabel=r"variance share of $|\mu|$")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    legend_above(axes, ncols=4, columnspacing=0.7, handletextpad=0.3)
