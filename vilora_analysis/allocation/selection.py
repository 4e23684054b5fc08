"""Which triplets stay: the score of each, and the highest of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import torch

from vilora_analysis import scores
from vilora_analysis.errors import ConfigError, DecisionError
from vilora_analysis.scores.evaluate import score_triplets

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.posterior import Snapshot
    from vilora_analysis.scores import Score

__all__ = ["Rule", "describe_non_finite", "select", "triplet_score"]

Rule = Literal["exact", "published"]


def select(
    score: Tensor,
    budget: int,
    *,
    rule: Rule = "exact",
    name: str = "",
    triplets: Sequence[str] | None = None,
) -> Tensor:
    """Keep the ``budget`` triplets of highest score.

    Parameters
    ----------
    score
        Shape ``(n_triplets,)``; infinite values are the highest or lowest, NaN is refused.
    budget
        How many to keep; anything beyond either end is clipped.
    rule
        ``"exact"`` keeps exactly the budget, the earlier triplet first; ``"published"`` prunes
        everything up to the k-th smallest value (PEFT's ``kthvalue`` and ``<=``), so ties cost
        more than the budget asks.
    name, triplets
        Of the score and of its triplets (``module[k]``), for messages.

    Returns
    -------
    Tensor
        Boolean, True where kept.

    Raises
    ------
    DecisionError
        If a score is NaN: it can neither be kept nor pruned. The message names score, module and k.
    ConfigError
        If the rule is none.

    Examples
    --------
    >>> select(torch.tensor([1.0, 2.0, 2.0, 3.0]), 2)
    tensor([False,  True, False,  True])
    >>> select(torch.tensor([1.0, 2.0, 2.0, 3.0]), 2, rule="published")
    tensor([False, False, False,  True])
    """
    if rule not in get_args(Rule):
        raise ConfigError(f"rule {rule!r} is neither 'exact' nor 'published'")
    if bool(score.isnan().any()):
        raise DecisionError(_describe_nan(score, name, triplets))
    budget = min(max(budget, 0), score.numel())
    excess = score.numel() - budget
    if rule == "published" and excess > 0:
        return score > score.kthvalue(excess).values
    kept = torch.zeros_like(score, dtype=torch.bool)
    kept[score.sort(descending=True, stable=True).indices[:budget]] = True
    return kept


def _describe_nan(score: Tensor, name: str, triplets: Sequence[str] | None) -> str:
    at = int(score.isnan().nonzero()[0])
    which = f"score {name!r}" if name else "the score"
    where = f"triplet {at}" if triplets is None else triplets[at]
    return f"{which} of {where} is NaN, so it can neither be kept nor pruned"


def triplet_score(name: str, snapshot: Snapshot) -> Tensor:
    """Score of every triplet, aggregated as its name says, refusing what is not finite.

    Returns
    -------
    Tensor
        Shape ``(n_triplets,)``.

    Raises
    ------
    ScoreError
        If an input is missing.
    DecisionError
        If a value is not finite, or overflows float32 when it is reduced over the triplet; the
        message names score, module, k and the input.
    """
    total = score_triplets([name], snapshot)[scores.get(name).name].total
    if not bool(total.isfinite().all()):
        raise DecisionError(describe_non_finite(name, total, snapshot))
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
