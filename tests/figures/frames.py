"""Frames to draw, and what can be read off a drawing."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from vilora_analysis import analysis

MATRICES = ["W_f2", "W_o", "W_q", "W_f1", "W_v", "W_k"]  # not the order they are drawn in
SCORES = ("snr", "mean_abs", "inverse_std", "sensitivity")
LABELS = {"inverse_std": "1/σ", "snr": "|μ|/σ", "sensitivity": "Ī·Ū", "mean_abs": "|μ|"}
LINKS = [(link.name, link.x_label, link.y_label) for link in analysis.LINKS]


def ranks(layers: int = 3, init_rank: int = 6, runs: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = [
        {"run": run, "module": f"{layer}.{matrix}", "layer": layer, "matrix": matrix}
        | {"rank": int(generator.integers(0, init_rank + 1)), "init_rank": init_rank}
        for run in range(runs)
        for layer in reversed(range(layers))
        for matrix in MATRICES
    ]
    pooler = {"run": 0, "module": "pooler", "layer": None, "matrix": "pooler.dense", "rank": 9}
    frame = pd.DataFrame([*rows, {**pooler, "init_rank": 99}])
    return frame.astype({"layer": "Int16"})


def correlations(names: tuple[str, ...] = SCORES, steps: tuple[int, ...] = (4,)) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    rows = [
        {"step": step, "group": "all", "method": "spearman", "score_a": a, "score_b": b, "n": 20}
        | {"value": generator.uniform(-1, 1)}
        for step in steps
        for a, b in itertools.combinations(names, 2)
    ]
    return pd.DataFrame(rows)


def theory(
    rho: float = -0.57, y_spread: float = 2.0, factors: str = "EAB", n: int = 40
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points and fits of every link; the first three points of each factor have no logarithm."""
    generator = np.random.default_rng(2)
    points, fits = [], []
    for link, factor in itertools.product(analysis.LINKS, factors):
        x, y = np.exp(2 * generator.normal(size=n)), np.exp(y_spread * generator.normal(size=n))
        x[0], y[1], y[2] = 0.0, -1.0, np.inf
        points.append(pd.DataFrame({"link": link.name, "factor": factor, "x": x, "y": y}))
        fit = {"link": link.name, "factor": factor, "spearman": rho, "slope": 0.7}
        fits.append({**fit, "expected_slope": link.expected_slope})
    return pd.concat(points, ignore_index=True), pd.DataFrame(fits)


def health(factors: str = "EAB", n: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points of step 20, and thirty steps over time."""
    generator = np.random.default_rng(3)
    points, over_time = [], []
    for factor in factors:
        values = {name: np.exp(generator.normal(size=n)) for name in ("sigma", "hess")}
        points.append(pd.DataFrame({"factor": factor, "step": 20, **values, "hess_init": 0.5}))
    for step, factor in itertools.product(range(1, 31), [*factors, "all"]):
        row = {"step": step, "factor": factor, "initial_left": 0.95**step}
        row |= {"sigma_cv": np.nan if factor == "all" else generator.uniform(0.1, 1)}
        over_time.append({**row, "initial_share": generator.uniform()})
    return pd.concat(points, ignore_index=True), pd.DataFrame(over_time)


def overlap(
    names: tuple[str, ...] = SCORES, steps: tuple[int, ...] = (3, 9), measure: str = "kept"
) -> pd.DataFrame:
    """Overlap at these steps; the set that was kept is there at the last one only."""
    generator = np.random.default_rng(3)
    rows = [
        {"step": step, "group": "all", "measure": measure, "score_a": a, "score_b": b, "n": 30}
        | {"size_a": 20, "chance": 0.5, "corrected": generator.uniform(-0.5, 1)}
        for step in steps
        for a, b in itertools.combinations((*names, *(["kept"] if step == steps[-1] else [])), 2)
    ]
    return pd.DataFrame(rows)


def churn(names: tuple[str, ...] = SCORES, decisions: int = 20) -> pd.DataFrame:
    generator = np.random.default_rng(4)
    rows = [
        pd.DataFrame({"step": range(1, decisions + 1), "score": name, "chance": 0.25}).assign(
            cumulative=generator.uniform(0, 0.1, decisions).cumsum()
        )
        for name in (*names, "kept")
    ]
    return pd.concat(rows, ignore_index=True)


def equilibrium(runs: int = 3, factors: str = "EAB") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points and shares; every other rest of h is negative."""
    generator = np.random.default_rng(5)
    points, shares = [], []
    for at, factor in itertools.product(range(runs), factors):
        keys = {"run": f"run {at}", "factor": factor, "beta2": 0.9, "hess_init": 0.1}
        keys |= {"ess": 10.0 ** (6 + at)}
        predicted = np.exp(2 * generator.normal(size=30))
        points.append(pd.DataFrame({"predicted": predicted, "hess": 1.1 * predicted, **keys}))
        rest = (-1) ** at * 0.1
        initial, correction = 0.3, 0.7 - rest
        shares.append(
            {"ratio": 1 + rest, "share_initial": initial, "share_correction": correction}
            | {"share_remainder": rest, **keys}
        )
    return pd.concat(points, ignore_index=True), pd.DataFrame(shares)


def decomposition(factors: tuple[str, ...] = ("E", "A", "B", "all")) -> pd.DataFrame:
    """Ten steps; of A something works against the other, of B nothing can be told."""
    rows = []
    for step, factor in itertools.product(range(1, 11), factors):
        mu, sigma = {"A": (1.3, -0.4), "B": (np.nan, np.nan)}.get(factor, (0.02 * step, 0.6))
        row = {"step": step, "factor": factor, "share_mu": mu, "share_sigma": sigma}
        row |= {"share_rest": 1 - mu - sigma, "rank_mu": mu / 2, "rank_sigma": 1 - mu / 2}
        rows.append(row)
    return pd.DataFrame(rows)


def cells_of(axes: Axes) -> dict[tuple[str, str], str]:
    """Number written in each cell, by the labels of its row and column."""
    rows = {
        tick: label.get_text()
        for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }
    columns = {
        tick: label.get_text()
        for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    }
    return {
        (rows[text.get_position()[1]], columns[text.get_position()[0]]): text.get_text()
        for text in axes.texts
    }


def mesh_of(axes: Axes) -> QuadMesh:
    (mesh,) = axes.collections
    assert isinstance(mesh, QuadMesh)
    return mesh


def colours_of(axes: Axes) -> dict[tuple[str, str], float]:
    """Value that colours each cell, by the labels of its row and column; masked cells left out."""
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    values = np.ma.getdata(mesh_of(axes).get_array()).reshape(len(rows), len(columns))
    masked = np.ma.getmaskarray(mesh_of(axes).get_array()).reshape(values.shape)
    return {
        (row, column): values[i, j]
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
        if not masked[i, j]
    }


def pixels_of(figure: Figure) -> bytes:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return bytes(canvas.buffer_rgba())


def texts_drawn(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> dict[Text, Bbox]:
    """Every text that reaches the page, and where."""
    drawn: dict[Text, Bbox] = {}
    draw = Text.draw

    def watched(text: Text, renderer: RendererBase) -> None:
        if text.get_visible() and text.get_text().strip():
            drawn[text] = Text.get_window_extent(text, renderer)
        draw(text, renderer)

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", watched)
        FigureCanvasAgg(figure).draw()
    return drawn
