"""The decisions of a run, some at a time, wherever blocks are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from vilora_analysis.analysis.engine import map_blocks
from vilora_analysis.errors import LogError
from vilora_analysis.log import ModuleRow, Run, StepBlock
from vilora_analysis.log.reader import Steps

__all__ = ["Decisions", "map_decisions"]

_R = TypeVar("_R")

_VALUES_AT_ONCE = 2**18  # of temporary arrays, so that they stay in a cache however long a part is


@dataclass(frozen=True)
class Decisions:
    """What some decisions were taken from.

    Attributes
    ----------
    steps, budgets
        Shape (steps,); the budget as it was asked for, clipped to what there is.
    scores
        Shape (steps, scores, triplets).
    kept
        What the run kept, shape (steps, triplets).
    """

    steps: np.ndarray
    budgets: np.ndarray
    scores: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class _Known:
    """What a block is read with, also where the run is not at hand."""

    run: str
    scores: tuple[str, ...]
    modules: tuple[ModuleRow, ...]
    budgets: pd.Series


def map_decisions(
    run: Run,
    budgets: pd.Series,
    compute: Callable[[Decisions], _R],
    join: Callable[[_R, _R], _R],
) -> Iterator[_R]:
    """Compute something of the scores at some decisions, in order.

    Parameters
    ----------
    run
        A recorded run.
    budgets
        By step, of the decisions meant; ascending.
    compute, join
        As of :func:`vilora_analysis.analysis.engine.map_blocks`. Results of one block are joined.

    Raises
    ------
    LogError
        If a score is not finite.
    """
    if budgets.empty:
        return iter(())
    known = _Known(str(run.path), run.score_names, run.manifest.modules, budgets)
    columns = [*(f"score.{name}" for name in run.score_names), "kept"]
    steps = _as_range(budgets.index.to_numpy(), run.steps)
    of_block = partial(_of_block, known=known, compute=compute, join=join)
    return map_blocks(run, columns, steps, of_block, join)


def _of_block(
    block: StepBlock,
    known: _Known,
    compute: Callable[[Decisions], Any],
    join: Callable[[Any, Any], Any],
) -> Any:
    return reduce(join, map(compute, _divided(block, known)))


def _divided(block: StepBlock, known: _Known) -> Iterator[Decisions]:
    kept = block.values["kept"]
    n = kept.shape[1]
    at_once = max(1, _VALUES_AT_ONCE // (len(known.scores) * n))
    for first in range(0, len(block.steps), at_once):
        rows = slice(first, first + at_once)
        scores = np.stack([block.values[f"score.{name}"][rows] for name in known.scores], axis=1)
        _refuse_non_finite(known, block.steps[rows], scores)
        asked = known.budgets.loc[block.steps[rows]].to_numpy().clip(0, n)
        yield Decisions(block.steps[rows], asked, scores, kept[rows])


def _as_range(wanted: np.ndarray, recorded: np.ndarray) -> Steps:
    """Steps by their ends, if nothing else is recorded between them: thousands are slow by name."""
    between = recorded[(recorded >= wanted[0]) & (recorded <= wanted[-1])]
    if np.array_equal(between, wanted):
        return slice(int(wanted[0]), int(wanted[-1]) + 1)
    return [int(step) for step in wanted]


def _refuse_non_finite(known: _Known, steps: np.ndarray, scores: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        step, score, triplet = bad[0]
        of = [f"{module.name}[{k}]" for module in known.modules for k in range(module.rank)]
        raise LogError(
            f"score {known.scores[score]} of {of[triplet]} is "
            f"{scores[step, score, triplet]} at step {steps[step]} of {known.run}, and cannot be "
            "ranked; `vilora check` names the damaged part"
        )
