"""Written runs of which it is known what was planted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vilora_analysis as va
from tests.log.synthetic import write_run
from vilora_analysis.log.planted import PlantedFiles

PLANTED = (2, 0, 3, 0, 0, 1, 0)
"""Of the synthetic run's modules, of 3 triplets each and the pooler's 2."""
SIZES = (3, 3, 3, 3, 3, 3, 2)
OWNER = np.repeat(np.arange(7), SIZES)
PLACE = np.concatenate([np.arange(size) for size in SIZES])
TRUE = np.array(PLANTED)[OWNER] > PLACE


def write_planted(
    path: Path, *, seed: int = 0, oracle: np.ndarray | None = None, **columns: np.ndarray
) -> va.Run:
    """A run with these scores at its last step, and files that say what was planted."""
    given = {f"score.{name}": np.asarray(values, float) for name, values in columns.items()}
    run = va.open_run(write_run(path, columns=given, scores=tuple(columns), seed=seed).path)
    names = [module.name for module in run.manifest.modules]
    zeros = np.zeros(len(names))
    modules = pd.DataFrame({"module": names, "planted": PLANTED})
    others = ("effect_alone", "effect_without", "norm_ratio", "spectral_ratio")
    modules = modules.assign(
        **dict.fromkeys((*others, "learnt_ratio", "learnt_rank", "alignment"), zeros)
    )
    effect = TRUE.astype(float) if oracle is None else oracle
    asked = run.modules[["module", "k"]].assign(effect=effect, error=0.1)
    # in another order than the log's, and the modules too: rows are found by name
    PlantedFiles(run.path).write({"seed": seed}, modules.iloc[::-1], asked.iloc[::-1])
    return run


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(len(TRUE))


def of(frame: pd.DataFrame, score: str, **where: Any) -> pd.Series:
    for name, value in {"score": score, **where}.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1
    return frame.iloc[0]
