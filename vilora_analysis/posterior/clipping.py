"""How much of a step IVON cut off: the share of elements that reached its clip radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.triplets import unwrap_optimizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.optim import Optimizer

    from vilora_analysis.triplets import Binding

__all__ = ["Clipping", "clip_hits", "read_means"]

_NEEDED = frozenset({"momentum", "hess", "beta1", "weight_decay", "clip_radius"})


def clip_hits(
    mean: Tensor,
    momentum: Tensor,
    hess: Tensor,
    *,
    weight_decay: float,
    clip_radius: float,
    debias: float,
) -> Tensor:
    """Elements whose preconditioned step reached the clip radius.

    IVON moves the mean by -lr clip(u, -r, r) with u = (m / debias + δ μ) / (h + δ), so an element
    is hit if abs(u) ≥ r.

    Parameters
    ----------
    mean
        Posterior mean μ before the step.
    momentum, hess
        m and h after it: IVON updates both first, and moves with the new ones.
    weight_decay, clip_radius
        δ and r.
    debias
        1 - beta1^t with t the steps taken, this one included; 1 for IVON with ``debias=False``.

    Returns
    -------
    Tensor
        Boolean by element.

    References
    ----------
    Shen et al., Variational Learning is Effective for Large Deep Networks, 2024; ivon-opt 0.1.3,
    ``IVON._new_param_averages``, operation for operation, so that the rounding is the same.

    Examples
    --------
    >>> zero, ones = torch.zeros(3), torch.ones(3)
    >>> momentum = torch.tensor([0.1, -0.5, 2.0])
    >>> clip_hits(zero, momentum, ones, weight_decay=0.0, clip_radius=0.5, debias=1.0)
    tensor([False,  True,  True])
    """
    step = (momentum / debias + weight_decay * mean) / (hess + weight_decay)
    return step.abs() >= clip_radius


@torch.no_grad()
def read_means(optimizer: Optimizer) -> list[Tensor] | None:
    """Copy IVON's means, flat by param group; None for an optimizer that does not clip as IVON.

    To be read before the step: once an element is cut, its mean before cannot be had from the one
    after. The weight decay's term is small, but without it the rate would not be exact.
    """
    groups = unwrap_optimizer(optimizer).param_groups
    if not all(group.keys() >= _NEEDED for group in groups):
        return None
    return [torch.cat([p.flatten() for p in group["params"]]) for group in groups]


class Clipping:
    """How much of one step was cut off, computed when it is asked for.

    Parameters
    ----------
    binding
        Layout tied to the optimizer, right after its step.
    means
        What :func:`read_means` gave right before it.
    """

    @torch.no_grad()
    def __init__(self, binding: Binding, means: Sequence[Tensor]) -> None:
        optimizer: Any = binding.optimizer
        self._binding = binding
        self._rate: float | None = None
        self._groups = [
            {
                "mean": mean,
                "momentum": group["momentum"].clone(),  # optimizers may work in place
                "hess": group["hess"].clone(),
                "weight_decay": group["weight_decay"],
                "clip_radius": group["clip_radius"],
                "debias": 1.0 - group["beta1"] ** optimizer.current_step
                if optimizer.debias
                else 1.0,
            }
            for mean, group in zip(means, optimizer.param_groups, strict=True)
        ]

    @torch.no_grad()
    def settle(self) -> None:
        """Compute it, and let go of the copies that it is computed from."""
        if self._rate is None:
            hits = [clip_hits(**group) for group in self._groups]
            of_adapter = self._binding.gather_groups(hits)
            self._rate = int(of_adapter.sum()) / of_adapter.numel()
            self._groups = []

    def __float__(self) -> float:
        """Share of the adapter's elements whose step reached the clip radius."""
        self.settle()
        assert self._rate is not None
        return self._rate
