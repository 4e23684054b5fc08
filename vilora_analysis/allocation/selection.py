"""Which triplets stay: the score of each, and the highest of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from vilora_analysis import scores
from vilora_analysis.errors import ScoreError
from vilora_analysis.scores.evaluate import score_triplets

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.posterior import Snapshot
    from vilora_analysis.scores import Score

__all__ = ["Rule", "describe_non_finite", "select", "triplet_score"]

Rule = Literal["exact", "published"]


def select(score: Tensor, budget: int, *, rule: Rule = "exact") -> Tensor:
    """Keep the ``budget`` triplets of highest score.

    Parameters
    ----------
    score
        Shape ``(n_triplets,)``, finite.
    budget
        How many to keep; anything beyond either end is clipped.
    rule
        ``"exact"`` keeps exactly the budget, the earlier triplet first; ``"published"`` prunes
        everything up to the k-th smallest value (PEFT's ``kthvalue`` and ``<=``), so ties cost
        more than the budget asks.

    Returns
    -------
    Tensor
        Boolean, True where kept.

    Examples
    --------
    >>> select(torch.tensor([1.0, 2.0, 2.0, 3.0]), 2)
    tensor([False,  True, False,  True])
    >>> select(torch.tensor([1.0, 2.0, 2.0, 3.0]), 2, rule="published")
    tensor([False, False, False,  True])
    """
    budget = min(max(budget, 0), score.numel())
    excess = score.numel() - budget
    if rule == "published" and excess > 0:
        return score > score.kthvalue(excess).values
    kept = torch.zeros_like(score, dtype=torch.bool)
    kept[score.sort(descending=True, stable=True).indices[:budget]] = True
    return kept


def triplet_score(name: str, snapshot: Snapshot) -> Tensor:
    """Score of every triplet, aggregated as its name says, refusing what is not finite.

    Returns
    -------
    Tensor
        Shape ``(n_triplets,)``.

    Raises
    ------
    ScoreError
        If an input is missing, or a value is not finite; the message names score, module, k and
        the input.
    """
    total = score_triplets([name], snapshot)[scores.get(name).name].total
    if not bool(total.isfinite().all()):
        raise ScoreError(describe_non_finite(name, total, snapshot))
    return total


def describe_non_finite(name: str, total: Tensor, snapshot: Snapshot) -> str:
    """Say which score, module, k and input went wrong, and how."""
    item = scores.get(name)
    triplet = int((~total.isfinite()).nonzero()[0])
    where = f"score {name!r} of {snapshot.layout.triplet_names[triplet]} at step {snapshot.step}"
    bad = _bad_elements(item, snapshot).nonzero()
    if not len(bad):
        return f"{where} overflows float32 when reduced over the triplet"
    index = int(bad[0])
    module, k, factor = snapshot.layout.locate(index)
    values = {key: float(snapshot.inputs[key][index]) for key in item.inputs}
    listed = ", ".join(f"{key} = {value:g}" for key, value in values.items())
    return f"{where} is {float(total[triplet]):g}: {listed} (factor {factor} of {module}[{k}])"


def _bad_elements(item: Score, snapshot: Snapshot) -> Tensor:
    """Elements whose score, or else an input of a score of whole triplets, is not finite."""
    if item.level == "element":
        return ~scores.compute([item.name], snapshot.inputs)[item.name].isfinite()
    inputs = [snapshot.inputs[name] for name in item.inputs]
    return ~torch.stack(inputs).isfinite().all(0)
