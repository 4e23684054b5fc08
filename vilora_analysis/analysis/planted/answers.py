"""Of one planted run: the truth, and what every score and the oracle say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.planted import PlantedFiles
from vilora_analysis.log.reader import Steps

__all__ = ["CHANCE", "ORACLE", "Answers", "answers", "has_planted", "planted_modules"]

ORACLE, CHANCE = "oracle", "chance"
"""Names that the two references go by, beside those of the scores."""


@dataclass(frozen=True)
class Answers:
    """What is said of each triplet at some steps, and the truth.

    Attributes
    ----------
    run, seed
        Name of the run, and its seed.
    steps
        Shape (steps,).
    values
        By score an array of shape (steps, triplets).
    oracle
        Rise of the held-out loss without each triplet of the trained student, shape (triplets,).
    starts
        Index of the first triplet of each module.
    ranks, planted
        By module its number of triplets and its planted rank, shape (modules,).
    """

    run: str
    seed: int
    steps: np.ndarray
    values: dict[str, np.ndarray]
    oracle: np.ndarray
    starts: np.ndarray
    ranks: np.ndarray
    planted: np.ndarray

    @property
    def total(self) -> int:
        """Total planted rank."""
        return int(self.planted.sum())

    def said(self, at: int) -> Iterator[tuple[str, np.ndarray]]:
        """Every score at one of the steps, and at the last step the oracle; shape (triplets,)."""
        yield from ((name, values[at]) for name, values in self.values.items())
        if at == len(self.steps) - 1:
            yield ORACLE, self.oracle


def has_planted(run: Run) -> bool:
    """Whether something was planted in a run."""
    return (PlantedFiles(run.path).folder / "planted.json").exists()


def planted_modules(run: Run) -> pd.DataFrame:
    """What was planted into each module, and what the student learnt there.

    Returns
    -------
    DataFrame
        One row a module: run, seed, module, matrix, layer; ``planted`` (rank); ``effect_alone`` and
        ``effect_without``, the change of the outputs by this update alone and without it;
        ``norm_ratio`` and ``spectral_ratio``, its norms over the weight's; of the student's update
        ``learnt_ratio`` (Frobenius norm over the weight's), ``learnt_rank`` (participation ratio of
        the squared singular values) and ``alignment`` (cosine with the planted one).

    Raises
    ------
    LogError
        If nothing was planted in the run.
    """
    files = PlantedFiles(run.path)
    seed = int(files.settings()["seed"])
    keys = run.modules[["module", "matrix", "layer"]].drop_duplicates("module")
    told = files.modules()
    frame = keys.astype({"module": str}).merge(told, on="module", how="left", validate="1:1")
    frame.insert(0, "seed", seed)
    frame.insert(0, "run", run.name)
    return frame


def answers(run: Run, steps: Steps = -1) -> Answers:
    """Read a planted run.

    Raises
    ------
    LogError
        If nothing was planted, or the files do not fit the log.
    """
    files = PlantedFiles(run.path)
    settings = files.settings()
    truth = files.modules().set_index("module")["planted"]
    asked = files.triplets().set_index(["module", "k"])["effect"]
    keys = run.modules[["module", "k"]].astype({"module": str})
    names = [module.name for module in run.manifest.modules if module.rank]
    if set(names) != set(truth.index) or len(asked) != len(keys):
        raise LogError(f"{files.folder} is of another adapter than the log beside it; plant anew")
    columns = [f"score.{name}" for name in run.score_names]
    # read here: what is asked for is the values of a step, not something small made of them
    blocks = [*run.blocks(columns, steps)]
    ranks = np.array([module.rank for module in run.manifest.modules if module.rank])
    return Answers(
        run=run.name,
        seed=int(settings["seed"]),
        steps=np.concatenate([block.steps for block in blocks]),
        values={
            name: np.concatenate([block.values[column] for block in blocks]).astype(np.float64)
            for name, column in zip(run.score_names, columns, strict=True)
        },
        oracle=asked.loc[list(keys.itertuples(index=False, name=None))].to_numpy(np.float64),
        starts=np.cumsum([0, *ranks[:-1]]),
        ranks=ranks,
        planted=truth.loc[names].to_numpy(),
    )
