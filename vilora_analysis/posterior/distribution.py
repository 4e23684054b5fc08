"""The posterior by parameter name: drawn from, cut to what was kept, saved and loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.errors import LayoutError, require
from vilora_analysis.posterior.snapshot import has_posterior
from vilora_analysis.triplets import unwrap_optimizer

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from vilora_analysis.triplets import TripletLayout

__all__ = ["Posterior"]


@dataclass(frozen=True)
class Posterior:
    """Mean and standard deviation of every trained parameter, by its name in the model.

    Attributes
    ----------
    mu, sigma
        Tensors of the parameters' shapes by name, as ``model.named_parameters()`` has it.
    """

    mu: Mapping[str, Tensor]
    sigma: Mapping[str, Tensor]

    @classmethod
    @torch.no_grad()
    def from_optimizer(cls, model: nn.Module, optimizer: Optimizer) -> Posterior:
        """Copy the posterior that IVON keeps; sigma = 1/sqrt(ess (hess + weight_decay)).

        Raises
        ------
        LayoutError
            If the optimizer keeps none, or has parameters that are not the model's.
        """
        inner: Any = unwrap_optimizer(optimizer)
        if not has_posterior(inner):
            raise LayoutError(f"{type(inner).__name__} keeps no posterior; train with IVON")
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        mu, sigma = {}, {}
        for group in inner.param_groups:
            precision = group["ess"] * (group["hess"] + group["weight_decay"])
            pieces = precision.rsqrt().split([p.numel() for p in group["params"]])
            for parameter, piece in zip(group["params"], pieces, strict=True):
                if id(parameter) not in names:
                    raise LayoutError(
                        f"the optimizer has a parameter of shape {tuple(parameter.shape)} that is "
                        "not the model's; give both of one training run"
                    )
                name = names[id(parameter)]
                mu[name] = parameter.detach().clone()
                sigma[name] = piece.view_as(parameter).clone()
        return cls(mu, sigma)

    def pruned(
        self, layout: TripletLayout, kept: Sequence[bool], *, resize: bool = False
    ) -> Posterior:
        """Take the triplets that were not kept out: their E is 0 with certainty, or is gone.

        Parameters
        ----------
        layout
            Layout of the adapter.
        kept
            Boolean by triplet.
        resize
            Whether to drop their rows of E and A and columns of B, as PEFT does with the adapter.
        """
        mu, sigma = dict(self.mu), dict(self.sigma)
        for module in layout.modules:
            rows = torch.tensor(list(kept[module.first : module.first + module.rank]))
            for factor, name in module.parameters.items():
                for values in (mu, sigma):
                    mask = rows.to(values[name].device)
                    if resize:
                        axis = 1 if factor == "B" else 0
                        values[name] = values[name].index_select(axis, mask.nonzero().flatten())
                    elif factor == "E":
                        values[name] = values[name] * mask[:, None]
        return Posterior(mu, sigma)

    def draw(self, generator: torch.Generator) -> dict[str, Tensor]:
        """One sample of all parameters.

        Parameters
        ----------
        generator
            On the CPU, so that one seed gives one sample on every device.
        """
        return {
            name: torch.randn(mean.shape, generator=generator)
            .to(mean)
            .mul(self.sigma[name])
            .add(mean)
            for name, mean in self.mu.items()
        }

    @contextmanager
    def sampled(self, model: nn.Module, generator: torch.Generator) -> Iterator[None]:
        """Give the model one sample for the duration of the block.

        Raises
        ------
        LayoutError
            If the model has no such parameters, or of other shapes.
        """
        live = dict(model.named_parameters())
        for name, mean in self.mu.items():
            if name not in live or live[name].shape != mean.shape:
                there = f"shape {tuple(live[name].shape)}" if name in live else "none"
                raise LayoutError(
                    f"the posterior has {name!r} of shape {tuple(mean.shape)}, the model has "
                    f"{there}; load the adapter that was saved beside it"
                )
        before = {name: live[name].data for name in self.mu}
        try:
            for name, value in self.draw(generator).items():
                live[name].data = value.to(before[name])
            yield
        finally:
            for name, value in before.items():
                live[name].data = value

    def save(self, path: str | Path) -> None:
        """Write ``mu.<name>`` and ``sigma.<name>`` as safetensors."""
        safetensors = require("safetensors.torch", extra="train")
        tensors = {f"mu.{name}": value for name, value in self.mu.items()}
        tensors |= {f"sigma.{name}": value for name, value in self.sigma.items()}
        whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        safetensors.save_file(whole, str(path), metadata={"format": "pt"})

    @classmethod
    def load(cls, path: str | Path) -> Posterior:
        """Read what :meth:`save` wrote.

        Raises
        ------
        LayoutError
            If there is no such file, or it is not a posterior.
        """
        safetensors = require("safetensors.torch", extra="train")
        try:
            tensors = safetensors.load_file(str(path))
        except Exception as error:  # safetensors raises its own, and whatever the system says
            raise LayoutError(f"{path} is not a posterior that can be read: {error}") from None
        parts: dict[str, dict[str, Tensor]] = {"mu": {}, "sigma": {}}
        for name, value in tensors.items():
            kind, _, parameter = name.partition(".")
            parts.setdefault(kind, {})[parameter] = value
        if set(parts) != {"mu", "sigma"} or parts["mu"].keys() != parts["sigma"].keys():
            raise LayoutError(f"{path} does not hold a mu and a sigma for each parameter")
        return cls(parts["mu"], parts["sigma"])
