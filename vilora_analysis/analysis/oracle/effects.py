"""What removing each triplet alone does to the held-out loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vilora_analysis.log import Run
from vilora_analysis.log.oracle import TARGETS, OracleFiles

__all__ = ["TARGETS", "Found", "has_oracle", "oracle_effects", "read_found", "resamples"]

_RESAMPLES = 400


@dataclass(frozen=True)
class Found:
    """Changes by triplet and example.

    Attributes
    ----------
    keys
        One row a triplet: module, matrix, layer, k.
    loss, right
        With the triplet removed minus with all, shape (triplets, examples).
    """

    keys: pd.DataFrame
    loss: np.ndarray
    right: np.ndarray


def has_oracle(run: Run) -> bool:
    """Whether the oracle was asked about a run."""
    return (OracleFiles(run.path).folder / "oracle.json").exists()


def oracle_effects(run: Run, *, seed: int = 0) -> pd.DataFrame:
    """What removing each triplet alone does to the held-out loss.

    Returns
    -------
    DataFrame
        One row a triplet: module, matrix, layer, k; ``effect``, the mean change of the loss, with
        a 95% bootstrap interval over examples (``low``, ``high``); ``moved``, the mean magnitude of
        the change by example; ``right``, the mean change of the share classified rightly;
        ``examples``.

    Raises
    ------
    LogError
        If the oracle was not asked, or is not finished.
    """
    found = read_found(run)
    draws = np.stack([found.loss[:, rows].mean(1) for rows in resamples(found, seed)])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return found.keys.assign(
        effect=found.loss.mean(1),
        low=low,
        high=high,
        moved=TARGETS["moved"](found.loss),
        right=found.right.mean(1),
        examples=found.loss.shape[1],
    )


def read_found(run: Run) -> Found:
    """Align what the oracle wrote with the triplets of the log.

    Raises
    ------
    LogError
        If the oracle was not asked, or is not finished.
    """
    losses = OracleFiles(run.path).losses()
    order = np.sort(losses["example"].unique())
    base = losses[losses["module"].isna()].set_index("example").loc[order]
    single = losses[losses["module"].notna()].astype({"module": str})
    keys = run.modules.merge(
        single[["module", "k"]].drop_duplicates(), on=["module", "k"], how="inner"
    )
    index = pd.MultiIndex.from_frame(keys[["module", "k"]])
    wide = single.pivot_table(["loss", "right"], ["module", "k"], "example", sort=False)
    return Found(
        keys,
        *(
            wide[name].loc[index, order].to_numpy() - base[name].to_numpy()
            for name in ("loss", "right")
        ),
    )


def resamples(found: Found, seed: int) -> Iterator[np.ndarray]:
    """Examples drawn with replacement, once for each bootstrap sample."""
    generator = np.random.default_rng(seed)
    n = found.loss.shape[1]
    for _ in range(_RESAMPLES):
        yield np.asarray(generator.integers(n, size=n))
