"""What is distilled: the last hidden state of every token that is no padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Texts", "outputs_of", "spread_of", "squared_error"]

Texts = Sequence[Mapping[str, Any]]
"""Batches of tensors for the model, each with its ``attention_mask``."""


@torch.no_grad()
def outputs_of(encoder: Any, texts: Texts) -> Tensor:
    """Last hidden states, shape (tokens, hidden), padding left out."""
    parts = [encoder(**inputs).last_hidden_state[_there(inputs)] for inputs in texts]
    return torch.cat(parts).float()


def spread_of(outputs: Tensor) -> Tensor:
    """Standard deviation over tokens, root mean square over the hidden units."""
    return (outputs - outputs.mean(0)).square().mean().sqrt()


def squared_error(outputs: Tensor, target: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean squared error of each text, over its tokens and hidden units; shape (texts,).

    Parameters
    ----------
    outputs, target
        Shape (texts, tokens, hidden).
    attention_mask
        Shape (texts, tokens), 0 for padding.
    """
    error = (outputs.float() - target.float()).square().mean(-1) * attention_mask
    return error.sum(1) / attention_mask.sum(1)


def _there(inputs: Mapping[str, Any]) -> Tensor:
    mask: Tensor = inputs["attention_mask"].bool()
    return mask
