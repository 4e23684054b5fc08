"""Removing triplets for good, and training a few steps to make up for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.probes.ablation import remove, without
from vilora_analysis.probes.effects import Batch, ablate_sets

if TYPE_CHECKING:
    from vilora_analysis.triplets import TripletLayout

__all__ = ["recover"]


def recover(
    model: Any,
    layout: TripletLayout,
    gone: Sequence[int],
    training: Sequence[Batch],
    held_out: Sequence[Batch],
    *,
    lr: float = 1e-3,
    seed: int = 0,
) -> tuple[float, float]:
    """Remove triplets, train what is left with AdamW, and evaluate; the model is left as it was.

    Parameters
    ----------
    model, layout
        The adapted model in evaluation mode, and its layout.
    gone
        Triplets to remove; they stay at 0 in every step.
    training, held_out
        One batch a step, and what the loss is taken on.
    lr
        Learning rate.
    seed
        Of dropout, the same whatever is removed.

    Returns
    -------
    loss, right : float
        Mean held-out loss, and share classified rightly.
    """
    trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
    saved = {name: parameter.detach().clone() for name, parameter in trainable.items()}
    optimizer = torch.optim.AdamW(trainable.values(), lr=lr, weight_decay=0.0)
    with torch.random.fork_rng(), without(model, layout, gone):
        torch.manual_seed(seed)
        model.train()
        for batch in training:
            model(**batch.inputs, labels=batch.labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            remove(model, layout, gone)
        model.eval()
        ((loss, right),) = ablate_sets(model, layout, held_out, [[]])
    with torch.no_grad():
        for name, parameter in trainable.items():
            parameter.copy_(saved[name])
    return float(loss), float(right)
