"""From a snapshot to the score of every triplet: the one way, for allocator and log alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.errors import ScoreError
from vilora_analysis.scores.definition import Score
from vilora_analysis.scores.registry import compute, get
from vilora_analysis.triplets import Factor, published_sum

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.posterior import Snapshot

__all__ = ["TripletValues", "context", "refuse_missing_factors", "score_triplets"]


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
    layout, found = snapshot.layout, {}
    for aggregation in dict.fromkeys(item.aggregation for item in items):
        alike = [item.name for item in items if item.aggregation == aggregation]
        elements = compute(alike, snapshot.inputs)
        reduced = layout.reduce(torch.stack(list(elements.values())), aggregation.reduce)
        parts = {f: part for f, part in reduced.items() if f in aggregation.factors}
        totals = published_sum(parts)
        for row, name in enumerate(elements):
            own = {factor: part[row] for factor, part in parts.items()}
            found[name] = TripletValues(totals[row], own)
    return found


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
