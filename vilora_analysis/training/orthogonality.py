r"""AdaLoRA's orthogonality penalty, from stacked matrices in place of PEFT's loop over them.

AdaLoRA adds :math:`\gamma \frac{1}{n} \sum_i \lVert P_i^\top P_i - I \rVert_F` to the loss, over
the A (transposed) and B of every adapted matrix (Zhang et al. 2023, equation 4, with PEFT's mean in
place of the sum). PEFT's ``AdaLoraModel.forward`` takes them one by one, some 880 tensor operations
on a 12-layer DeBERTa; matrices of one shape are stacked here, and a few dozen do the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.recording.attach import adalora_model

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["orthogonality_penalty", "stacked_penalty"]

_FACTORS = "_vilora_factors"


def orthogonality_penalty(rows: Sequence[Tensor], columns: Sequence[Tensor]) -> Tensor:
    r"""Mean over all matrices of the Frobenius norm of their Gram matrix less the identity.

    Parameters
    ----------
    rows
        Matrices whose rows are to be orthonormal: the A, each of shape (rank, inputs).
    columns
        Matrices whose columns are: the B, each of shape (outputs, rank).

    Returns
    -------
    Tensor
        A number, equal to PEFT's loop to rounding, gradient included: the sums run in another
        order.

    Examples
    --------
    >>> orthogonality_penalty([torch.eye(2, 5)], [2 * torch.eye(3, 1)])
    tensor(1.5000)
    """
    norms = [
        torch.linalg.vector_norm(gram - _identity(gram), dim=(-2, -1))
        for transposed, matrices in ((False, rows), (True, columns))
        for gram in _grams(matrices, transposed=transposed)
    ]
    return torch.cat(norms).mean()


def _grams(matrices: Sequence[Tensor], *, transposed: bool) -> Iterator[Tensor]:
    """Gram matrices, stacked for each shape."""
    alike: dict[Any, list[Tensor]] = {}
    for matrix in matrices:
        alike.setdefault((matrix.shape, matrix.dtype), []).append(matrix)
    for members in alike.values():
        stacked = torch.stack(members)
        yield stacked.mT @ stacked if transposed else stacked @ stacked.mT


def _identity(gram: Tensor) -> Tensor:
    return torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)


@contextmanager
def stacked_penalty(model: nn.Module) -> Iterator[None]:
    """Let an AdaLoRA model compute its penalty from stacked matrices for the block.

    ``model(...).loss`` holds the penalty as before, so the training loop, Trainer or not, is not
    edited; PEFT's classes and configuration are left alone, and so is what is saved.

    Parameters
    ----------
    model
        PEFT model; of one without a trainable AdaLoRA adapter nothing is changed.

    Examples
    --------
    >>> with stacked_penalty(model):  # doctest: +SKIP
    ...     trainer.train()
    """
    adalora: Any = adalora_model(model)
    if adalora is None or "forward" in vars(adalora):
        yield
        return
    setattr(adalora, _FACTORS, (_find(adalora, "lora_A"), _find(adalora, "lora_B")))
    # bound to the model, so that a copy of the model gets a method of its own
    adalora.forward = MethodType(_forward, adalora)
    try:
        yield
    finally:
        del adalora.forward
        delattr(adalora, _FACTORS)


def _find(adalora: Any, factor: str) -> list[tuple[dict[str, Any], str]]:
    """Where the model keeps the parameters that PEFT's loop goes over."""
    found = []
    for name, _ in adalora.model.named_parameters():
        if factor in name and adalora.trainable_adapter_name in name:
            path, _, leaf = name.rpartition(".")
            # looked up again at each step: parameters may be replaced
            found.append((adalora.model.get_submodule(path)._parameters, leaf))
    return found


def _forward(self: Any, *args: Any, **kwargs: Any) -> Any:
    """In the place of PEFT's ``AdaLoraModel.forward``."""
    rows, columns = ([held[leaf] for held, leaf in places] for places in getattr(self, _FACTORS))
    weight = self.peft_config[self.trainable_adapter_name].orth_reg_weight
    if weight < 0 or any(p.dim() != 2 for p in (*rows, *columns)):
        return type(self).forward(self, *args, **kwargs)  # it refuses, or gathers parameters
    outputs = self.model.forward(*args, **kwargs)
    if isinstance(getattr(outputs, "loss", None), torch.Tensor) and (rows or columns):
        outputs.loss += weight * orthogonality_penalty(rows, columns)
    return outputs
