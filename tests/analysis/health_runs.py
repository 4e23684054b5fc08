"""Runs whose sigma and h are planted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.log.synthetic import Written, decision, modules, write_posterior_run
from vilora_analysis.log import Run, open_run

ROWS = modules(3, rank=5)
N = 3 * 3 * 5 + 2
SCORES = ("snr", "mean_abs", "inverse_std")
IVON = {"name": "IVON", "groups": [{"hess_init": 0.5, "beta2": 0.9}]}
MAGNITUDE = np.exp(np.random.default_rng(0).normal(size=N))


def planted(sigma: Any, hess: Any = 0.5, fisher: Any = None) -> dict[str, Any]:
    """Columns of a run with that sigma in every factor, and its scores."""
    fisher = np.linspace(1, 2, N) if fisher is None else fisher
    columns: dict[str, Any] = {}
    for factor in ("E", "A", "B"):
        signed = MAGNITUDE * np.where(np.arange(N) % 2, 1, -1 if factor == "E" else 1)
        columns |= {f"mu_{factor}": signed, f"sigma_{factor}": sigma, f"hess_{factor}": hess}
        columns[f"fisher_batch_{factor}"] = fisher
        for name, value in zip(SCORES, scores_of(sigma), strict=True):
            columns[f"score.{name}.{factor}"] = value
    for name, value in zip(SCORES, scores_of(sigma), strict=True):
        columns[f"score.{name}"] = 3 * value
    return columns


def scores_of(sigma: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inverse = np.broadcast_to(1 / np.asarray(sigma, dtype=float), (N,))
    return MAGNITUDE * inverse, MAGNITUDE, inverse


def written(path: Path, columns: dict[str, Any], **changes: Any) -> Written:
    known = {"rows": ROWS, "scores": SCORES, "steps": (1, 2, 3), "optimizer": IVON}
    known |= {"events": [decision(2)]}
    return write_posterior_run(path / "run", columns=columns, **{**known, **changes})


def opened(path: Path, columns: dict[str, Any], **changes: Any) -> Run:
    return open_run(written(path, columns, **changes).path)
