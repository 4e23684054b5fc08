"""From a snapshot to one step's numbers in the log: every score and the inputs, by triplet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vilora_analysis.allocation.selection import describe_non_finite
from vilora_analysis.errors import ScoreError
from vilora_analysis.log.schema import REDUCED_BY
from vilora_analysis.scores.evaluate import score_triplets

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.posterior import Snapshot

__all__ = ["element_rows", "refuse_non_finite_inputs", "triplet_values"]


@torch.no_grad()
def triplet_values(snapshot: Snapshot, inputs: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Every float column of the triplets table, for one step.

    Parameters
    ----------
    snapshot
        The posterior at this step.
    inputs
        Inputs with columns of their own, in the schema's order.
    names
        Scores, in the schema's order.

    Returns
    -------
    ndarray
        Shape (columns, triplets), float32, in the schema's order: for each input its factors, then
        for each score the triplet score and the parts of its factors, where it has any.

    Raises
    ------
    ScoreError
        If a value is not finite; the message names score, module, k and the input.
    """
    layout = snapshot.layout
    reduced = _reduce_inputs(snapshot, inputs)
    columns = [reduced[name][factor] for name in inputs for factor in layout.factors]
    for score in score_triplets(names, snapshot).values():
        columns.extend([score.total, *score.parts.values()])
    values: np.ndarray = torch.stack(columns).cpu().numpy()
    if not np.isfinite(values).all():
        _refuse_non_finite(snapshot, inputs, names)
    return values


def _reduce_inputs(snapshot: Snapshot, inputs: Sequence[str]) -> dict[str, Mapping[Any, Tensor]]:
    """Reduce together what is reduced alike."""
    reduced: dict[str, Mapping[Any, Tensor]] = {}
    for how in sorted({REDUCED_BY[name] for name in inputs}):
        alike = [name for name in inputs if REDUCED_BY[name] == how]
        parts = snapshot.layout.reduce(torch.stack([snapshot.inputs[n] for n in alike]), how)
        for row, name in enumerate(alike):
            reduced[name] = {factor: part[row] for factor, part in parts.items()}
    return reduced


def _refuse_non_finite(snapshot: Snapshot, inputs: Sequence[str], names: Sequence[str]) -> None:
    for name, score in score_triplets(names, snapshot).items():
        if not bool(score.total.isfinite().all()):
            raise ScoreError(describe_non_finite(name, score.total, snapshot))
    refuse_non_finite_inputs(snapshot, inputs)
    raise ScoreError(f"a column overflows float32 at step {snapshot.step}")


def refuse_non_finite_inputs(snapshot: Snapshot, inputs: Sequence[str]) -> None:
    """Refuse elements that are no numbers.

    Raises
    ------
    ScoreError
        Naming input, module, k and factor of the first.
    """
    for name in inputs:
        bad = (~snapshot.inputs[name].isfinite()).nonzero()
        if len(bad):
            module, k, factor = snapshot.layout.locate(int(bad[0]))
            raise ScoreError(
                f"{name} of {module}[{k}] (factor {factor}) is not finite at step {snapshot.step}"
            )


def element_rows(snapshot: Snapshot, inputs: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of the elements table: full vectors by module, k and factor."""
    layout = snapshot.layout
    # copies: rows are written later on, and the snapshot's memory may be written over before
    flats = {name: snapshot.inputs[name].to("cpu", copy=True) for name in inputs}
    stacked = {
        (block.factor, module.name): {name: block.view(flat)[0][i] for name, flat in flats.items()}
        for block, modules in layout.block_members
        for i, module in enumerate(modules)
    }
    for module in layout.modules:
        for k in range(module.rank):
            for factor in layout.factors:
                parameters = stacked[factor, module.name]
                vectors = {
                    name: (p[:, k] if factor == "B" else p[k]).numpy()
                    for name, p in parameters.items()
                }
                yield {
                    "step": snapshot.step,
                    "module": module.name,
                    "layer": module.layer,
                    "matrix": module.matrix,
                    "k": k,
                    "factor": factor,
                    **vectors,
                }
