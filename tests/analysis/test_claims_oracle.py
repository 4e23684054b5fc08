"""What the oracle says of C3, on written losses whose answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.analysis.claims_world import HOLDS, write_trial
from vilora_analysis.analysis import claims
from vilora_analysis.log import Run
from vilora_analysis.log.oracle import OracleFiles

EXAMPLES = 6


def ask(run: Run, effect: np.ndarray, rows: Sequence[int]) -> None:
    """Write the losses without some triplets: half of the examples gain what the others lose."""
    keys = run.modules.iloc[list(rows)]
    signs = np.resize([1.0, -0.5], EXAMPLES)
    loss = np.concatenate([np.zeros((1, EXAMPLES)), effect[list(rows), None] * signs])
    files = OracleFiles(run.path)
    files.begin({"batches": 1})
    files.write_batch(
        0,
        {
            "example": np.tile(np.arange(EXAMPLES), len(loss)).astype(np.int32),
            "module": [m for m in (None, *keys["module"]) for _ in range(EXAMPLES)],
            "k": [k for k in (None, *keys["k"].tolist()) for _ in range(EXAMPLES)],
            "loss": loss.ravel().astype(np.float32),
            "right": np.ones(loss.size, dtype=np.float32),
        },
    )


def scores_of(run: Run, rows: Sequence[int]) -> dict[str, np.ndarray]:
    names = ("mean_abs", "inverse_std")
    frame = run.triplets([f"score.{name}" for name in names], -1).iloc[list(rows)]
    return {name: frame[f"score.{name}"].to_numpy(dtype=float) for name in names}


def asked(frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame[frame["evidence"].str.startswith("oracle")]
    return rows.set_index(rows["statement"].str.contains("single examples"))


def test_each_score_is_held_against_both_targets(tmp_path: Path) -> None:
    run = write_trial(tmp_path, HOLDS, "ivon", "snr", 0)
    rows = range(0, run.manifest.n_triplets, 2)  # as of a run that was pruned
    effect = np.random.default_rng(0).normal(size=run.manifest.n_triplets)
    ask(run, effect, rows)
    found, scores = asked(claims([run])), scores_of(run, rows)
    for moved, target in ((False, effect / 4), (True, abs(effect) * 0.75)):
        rho = {n: stats.spearmanr(s, target[list(rows)]).statistic for n, s in scores.items()}
        row = found.loc[moved]
        assert row["effect"] == pytest.approx(rho["mean_abs"] - rho["inverse_std"], abs=1e-6)
        assert f"1/sigma {rho['inverse_std']:.2f}; of 1 runs only the" in row["remark"]
        assert row["verdict"] == "underpowered"


def test_a_run_that_was_never_asked_says_nothing(tmp_path: Path) -> None:
    assert asked(claims([write_trial(tmp_path, HOLDS, "ivon", "snr", 0)])).empty
