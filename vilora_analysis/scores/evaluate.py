"""From a snapshot to the score of every triplet: the one way, for allocator and log alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.errors import ScoreError
from vilora_analysis.scores.definition import Score
from vilora_analysis.scores.elementwise import is_elementwise
from vilora_analysis.scores.registry import compute, evaluate, get
from vilora_analysis.triplets import Factor, published_sum

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.posterior import Snapshot

__all__ = ["TripletValues", "context", "refuse_missing_factors", "score_triplets"]

_CPU_CHUNK = 2**18
_DEVICE_CHUNK = 2**24  # there each call costs more, and fresh memory nothing


@dataclass(frozen=True)
class TripletValues:
    """One score at one step.

    Attributes
    ----------
    total
        The score, shape ``(n_triplets,)``.
    parts
        What each factor contributed to it; empty for a score of whole triplets.
    """

    total: Tensor
    parts: Mapping[Factor, Tensor] = field(default_factory=dict)


def context(snapshot: Snapshot) -> dict[str, Any]:
    """What scores of whole triplets may ask for besides, ``inputs.CONTEXT``."""
    layout = snapshot.layout
    triplet = torch.arange(layout.n_triplets, device=snapshot.inputs["mu"].device)
    return {"reduce": layout.reduce, "step": snapshot.step, "triplet": triplet}


def score_triplets(names: Iterable[str], snapshot: Snapshot) -> dict[str, TripletValues]:
    """Evaluate scores of either kind for all triplets.

    Parameters
    ----------
    names
        Scores, each with its aggregation if it is not the published one.
    snapshot
        The posterior at one step.

    Returns
    -------
    dict of str to TripletValues
        By the scores' names, in the order asked for; values may be infinite or NaN.

    Raises
    ------
    ScoreError
        If an input or a factor that a score asks for is not there.
    """
    items = [*map(get, names)]
    refuse_missing_factors(items, snapshot.layout.factors)
    found = _aggregated([item for item in items if item.level == "element"], snapshot)
    whole = [item.name for item in items if item.level == "triplet"]
    if whole:
        totals = compute(whole, {**snapshot.inputs, **context(snapshot)})
        found |= {name: TripletValues(total) for name, total in totals.items()}
    return {item.name: found[item.name] for item in items}


def _aggregated(items: Sequence[Score], snapshot: Snapshot) -> dict[str, TripletValues]:
    """Aggregate together what is aggregated alike."""
    found = {}
    for aggregation in dict.fromkeys(item.aggregation for item in items):
        alike = [item for item in items if item.aggregation == aggregation]
        reduced = _reduced(alike, snapshot, aggregation.reduce)
        parts = {f: part for f, part in reduced.items() if f in aggregation.factors}
        totals = published_sum(parts)
        for row, item in enumerate(alike):
            own = {factor: part[row] for factor, part in parts.items()}
            found[item.name] = TripletValues(totals[row], own)
    return found


def _reduced(items: Sequence[Score], snapshot: Snapshot, how: str) -> dict[Factor, Tensor]:
    """Parts of several scores by factor, of shape (scores, triplets).

    Chunk by chunk, so that what the formulas allocate on the way is small enough to be at hand
    again: at half a million elements fresh memory costs more than the arithmetic.
    """
    layout = snapshot.layout
    whole = {
        item.name: evaluate(item, snapshot.inputs) for item in items if not is_elementwise(item)
    }
    pieces: list[tuple[Factor, Tensor]] = []
    for chunk in layout.chunks(_limit(snapshot)):
        inputs = {name: flat[chunk.start : chunk.stop] for name, flat in snapshot.inputs.items()}
        reduced = []
        for item in items:  # one after the other, so that each uses the memory of the one before
            elements = (
                whole[item.name][chunk.start : chunk.stop]
                if item.name in whole
                else evaluate(item, inputs)
            )
            reduced.append([block.reduce(elements, how) for block in chunk.blocks])
        pieces.extend(
            (block.factor, torch.stack(parts) if len(parts) > 1 else parts[0].unsqueeze(0))
            for block, parts in zip(chunk.blocks, zip(*reduced, strict=True), strict=True)
        )
    return layout.in_order(pieces)


def _limit(snapshot: Snapshot) -> int:
    """Elements worked on at once."""
    on_cpu = next(iter(snapshot.inputs.values())).device.type == "cpu"
    return _CPU_CHUNK if on_cpu else _DEVICE_CHUNK


def refuse_missing_factors(items: Iterable[Score], there: Sequence[str]) -> None:
    """Refuse scores of factors that the adapter does not have.

    Raises
    ------
    ScoreError
        Naming score and factors.
    """
    for item in items:
        missing = [factor for factor in item.needs_factors if factor not in there]
        if missing:
            raise ScoreError(
                f"score {item.name!r} needs the factor {', '.join(missing)}, and this adapter has "
                f"{', '.join(there)}; use AdaLoRA, or a score of other factors"
            )
