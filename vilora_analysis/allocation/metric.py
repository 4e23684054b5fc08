r"""How far each optimizer steps for a unit of gradient: the metric of its proximal step.

A preconditioned step is :math:`\theta \leftarrow \theta - \eta D^{-1} g` with a diagonal D. The
step of the penalty has to be taken in the same metric (Becker and Fadili 2012): a value's threshold
is :math:`\eta \lambda / d`, so what is needed of an optimizer is :math:`\eta / d` of each E.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from vilora_analysis.errors import ConfigError
from vilora_analysis.posterior import has_posterior

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.allocation.values import SingularValues
    from vilora_analysis.triplets import Binding

__all__ = ["Metric", "find_metric"]

Metric = Literal["optimizer", "euclidean"]

_Reader = Callable[["Binding", "SingularValues"], "Tensor"]

_ADAMS = {"betas", "eps", "amsgrad", "lr"}
_SGDS = {"momentum", "dampening", "nesterov", "lr"}


def find_metric(metric: Metric, binding: Binding, values: SingularValues) -> Callable[[], Tensor]:
    r"""How to read :math:`\eta / d` of every E, right after a step.

    ======== ==================================================================================
    IVON     :math:`\eta (h_0 + \delta) / \max(h + \delta, |m| / \rho)`, with the initial
             Hessian :math:`h_0` for ``rescale_lr``, and the debiased momentum m (weight decay
             included) where the radius :math:`\rho` cut the step: a shorter step for the
             gradient is one for the penalty too. Shen et al. 2024, algorithm 1.
    Adam(W)  :math:`\eta / (\sqrt{\hat v} + \epsilon)`. Kingma and Ba 2015, algorithm 1.
    SGD      :math:`\eta`.
    ======== ==================================================================================

    Parameters
    ----------
    metric
        ``"optimizer"``, or ``"euclidean"`` for :math:`\eta` itself.
    binding
        Layout tied to the optimizer.
    values
        The E of all modules.

    Returns
    -------
    callable
        Gives a tensor of shape (triplets,), not negative.

    Raises
    ------
    ConfigError
        For a metric that is not one of the two, or an optimizer whose steps are not known here.
    """
    if metric not in get_args(Metric):
        raise ConfigError(f"l1_metric {metric!r} is neither 'optimizer' nor 'euclidean'")
    reader = _euclidean if metric == "euclidean" else _reader_for(binding)
    return lambda: reader(binding, values)


def _reader_for(binding: Binding) -> _Reader:
    keys = set.intersection(*(set(group) for group in binding.optimizer.param_groups))
    if has_posterior(binding.optimizer):
        return _ivon
    if keys >= _ADAMS:
        return _adam
    if keys >= _SGDS:
        return _euclidean
    raise ConfigError(
        f"the metric in which {type(binding.optimizer).__name__} steps is not known; train with "
        "IVON, Adam, AdamW or SGD, or take l1_metric='euclidean', the threshold lr * l1_penalty"
    )


def _euclidean(binding: Binding, values: SingularValues) -> Tensor:
    return _options(binding, values, "lr")


def _ivon(binding: Binding, values: SingularValues) -> Tensor:
    optimizer: Any = binding.optimizer
    delta, radius, beta1, initial, lr = (
        _options(binding, values, name)
        for name in ("weight_decay", "clip_radius", "beta1", "hess_init", "lr")
    )
    debias = 1 - beta1**optimizer.current_step if optimizer.debias else 1.0
    momentum = _state(binding, values, "momentum") / debias + delta * values.read()
    wide = _state(binding, values, "hess") + delta
    step = lr * (initial + delta) if optimizer.rescale_lr else lr
    return step / torch.maximum(wide, momentum.abs() / radius)


def _adam(binding: Binding, values: SingularValues) -> Tensor:
    found = []
    for parameter, group in _groups(binding, values):
        state = binding.optimizer.state[parameter]
        square = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
        debias = 1 - group["betas"][1] ** float(state["step"])
        found.append(group["lr"] / ((square / debias).sqrt() + group["eps"]))
    return torch.cat([value.reshape(-1) for value in found])


def _groups(binding: Binding, values: SingularValues) -> Iterator[tuple[Tensor, dict[str, Any]]]:
    groups = binding.optimizer.param_groups
    for parameter, place in zip(values.parameters, values.places, strict=True):
        yield parameter, groups[place.group]


def _options(binding: Binding, values: SingularValues, name: str) -> Tensor:
    """An option of the param groups, one number a value."""
    device = values.parameters[0].device
    numbers = [float(group[name]) for _, group in _groups(binding, values)]
    ranks = torch.tensor(values.ranks, device=device)
    return torch.tensor(numbers, device=device).repeat_interleave(ranks)


def _state(binding: Binding, values: SingularValues, name: str) -> Tensor:
    """What IVON keeps flat for each param group, of the values alone."""
    groups = binding.optimizer.param_groups
    return torch.cat(
        [
            groups[place.group][name][start : start + rank]
            for place, start, rank in zip(values.places, values.starts, values.ranks, strict=True)
        ]
    )
