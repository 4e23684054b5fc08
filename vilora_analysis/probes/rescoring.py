"""Scores computed again from recorded elements: new ones of an old run, old ones to the bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from vilora_analysis import scores as registry
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.posterior import Snapshot
from vilora_analysis.scores.evaluate import score_triplets
from vilora_analysis.triplets import AdaptedModule, Factor, TripletLayout

__all__ = ["element_steps", "rescore", "rescoring_verdict", "snapshots", "verify_scores"]

_KEYS = ("step", "module", "layer", "matrix", "k", "factor")


def snapshots(run: Run, steps: Sequence[int] | None = None) -> Iterator[Snapshot]:
    """Rebuild the posterior of each step whose elements were recorded.

    Parameters
    ----------
    run
        A run recorded with ``elements_every``.
    steps
        Steps to rebuild; all recorded ones if None.

    Raises
    ------
    LogError
        If the run has no elements, or not of a step that is asked for.
    """
    there = element_steps(run)
    for step in there if steps is None else steps:
        yield _rebuild(run, int(step))


def element_steps(run: Run) -> list[int]:
    """Steps whose elements were recorded.

    Raises
    ------
    LogError
        If there are none.
    """
    there: list[int] = run.elements(["step"])["step"].unique().tolist()
    if not there:
        raise LogError(
            f"{run.path} has no element snapshots to compute scores from; record it with "
            "elements_every (vilora train --elements-every N)"
        )
    return there


def rescore(run: Run, names: Iterable[str], steps: Sequence[int] | None = None) -> pd.DataFrame:
    """Compute scores of a recorded run, also ones that did not exist when it was made.

    Parameters
    ----------
    run
        A run recorded with ``elements_every``.
    names
        Registered scores, with their aggregation if it is not the published one.
    steps
        Steps; all whose elements were recorded if None.

    Returns
    -------
    DataFrame
        One row a step and triplet: step, module, matrix, layer, k, and ``score.NAME`` for each.

    Raises
    ------
    LogError
        As :func:`snapshots`.
    ScoreError
        If a score is unknown, or asks for an input that was not recorded.
    """
    chosen = [registry.get(name).name for name in names]
    frames = []
    for snapshot in snapshots(run, steps):
        found = score_triplets(chosen, snapshot)
        columns = {f"score.{name}": found[name].total.numpy() for name in chosen}
        frames.append(run.modules.assign(step=snapshot.step, **columns))
    first = ["step", *run.modules.columns]
    whole = pd.concat(frames, ignore_index=True)
    return whole[[*first, *(name for name in whole if name not in first)]]


def verify_scores(run: Run, steps: Sequence[int] | None = None) -> pd.DataFrame:
    """Compare the recorded scores with those computed again from the elements of the same step.

    Returns
    -------
    DataFrame
        One row a step and recorded score: ``differ``, how many of its ``triplets`` are not the
        same to the last bit; ``largest``, the largest relative difference; ``module`` and ``k`` of
        where it is, if any.

    Raises
    ------
    LogError
        As :func:`snapshots`, or if a step has elements and no scores.
    """
    rows = []
    for snapshot in snapshots(run, steps):
        again = score_triplets(run.score_names, snapshot)
        columns = [f"score.{name}" for name in run.score_names]
        recorded = run.triplets(columns, steps=[snapshot.step])
        for name, column in zip(run.score_names, columns, strict=True):
            before, now = recorded[column].to_numpy(), again[name].total.numpy()
            rows.append((snapshot.step, name, *_difference(run, before, now)))
    columns = ["step", "score", "triplets", "differ", "largest", "module", "k"]
    return pd.DataFrame(rows, columns=columns)


def rescoring_verdict(frame: pd.DataFrame) -> str:
    """Say whether a log agrees with itself, and if not, where it does not.

    Parameters
    ----------
    frame
        As :func:`verify_scores` gives it.
    """
    scores, steps = frame["score"].nunique(), frame["step"].nunique()
    wrong = frame[frame["differ"] > 0]
    if wrong.empty:
        return (
            f"All {scores} recorded scores are those of the recorded elements, to the last bit, at "
            f"{steps} steps ({frame['triplets'].sum()} values)."
        )
    worst = wrong.iloc[int(wrong["largest"].to_numpy().argmax())]
    where = f"{worst['module']}[{worst['k']:g}]"
    return (
        f"The log disagrees with its own elements in {len(wrong)} of {len(frame)} scores and "
        f"steps; most in {worst['score']} at step {worst['step']}, {where} "
        f"(relative difference {worst['largest']:.2g}): one of the two was altered, or the score's "
        "formula has changed since."
    )


def _difference(
    run: Run, before: np.ndarray, now: np.ndarray
) -> tuple[int, int, float, str | None, int | None]:
    differ = before.view(np.int32) != now.astype(np.float32).view(np.int32)
    if not differ.any():
        return len(before), 0, 0.0, None, None
    scale = np.maximum(np.abs(before), np.finfo(np.float32).tiny)
    relative = np.where(differ, np.abs(before - now) / scale, -1.0)
    worst = int(relative.argmax())
    where = run.modules.iloc[worst]
    return len(before), int(differ.sum()), float(relative[worst]), where["module"], int(where["k"])


def _rebuild(run: Run, step: int) -> Snapshot:
    frame = run.elements(steps=[step])
    names = [str(name) for name in frame if name not in _KEYS]
    rows = {
        (str(module), int(k), str(factor)): i
        for i, (module, k, factor) in enumerate(
            zip(frame["module"], frame["k"], frame["factor"], strict=True)
        )
    }
    layout = _layout(run, frame, rows)
    inputs = {}
    for name in names:
        vectors = frame[name].to_numpy()
        inputs[name] = layout.gather(
            torch.from_numpy(_matrix(vectors, rows, module, factor))
            for block, members in layout.block_members
            for module in members
            for factor in [block.factor]
        )
    return Snapshot(step, layout, inputs)


def _layout(run: Run, frame: pd.DataFrame, rows: dict[tuple[str, int, str], int]) -> TripletLayout:
    """The recorder's order of elements, from the manifest and the lengths of the vectors."""
    factors: list[Factor] = [f for f in ("E", "A", "B") if (frame["factor"] == f).any()]
    shapes: dict[str, tuple[int, ...]] = {}
    modules, first = [], 0
    for row in run.manifest.modules:
        parameters: dict[Factor, str] = {f: f"{row.name}.lora_{f}" for f in factors}
        modules.append(AdaptedModule(row.name, row.matrix, row.layer, row.rank, first, parameters))
        first += row.rank
        for factor, name in parameters.items():
            length = len(frame["mu"].iloc[rows[row.name, 0, factor]]) if row.rank else 1
            shapes[name] = (length, row.rank) if factor == "B" else (row.rank, length)
    return TripletLayout(modules, shapes)


def _matrix(
    vectors: np.ndarray,
    rows: dict[tuple[str, int, str], int],
    module: AdaptedModule,
    factor: str,
) -> np.ndarray:
    """One parameter from its rows (columns of B)."""
    stacked = np.stack([vectors[rows[module.name, k, factor]] for k in range(module.rank)])
    return np.ascontiguousarray(stacked.T) if factor == "B" else stacked
