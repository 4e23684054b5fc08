"""Updates of known rank, drawn so that every rank of them is needed and none can be overlooked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from vilora_analysis.errors import ConfigError
from vilora_analysis.probes.planted.outputs import Texts, outputs_of, spread_of

__all__ = ["Plant", "add", "draw_plants", "planted", "relative_change", "whitened_directions"]

_SUBSPACE = 0.5  # share of the inputs' variance within which directions are drawn
_ROUNDS, _TOLERANCE = 12, 0.05


@dataclass(frozen=True)
class Plant:
    """The update of one module's weight, ``scale * out @ into``.

    Attributes
    ----------
    module
        Path of the linear layer in the encoder.
    out
        Orthonormal columns, shape (outputs, rank).
    into
        Rows that the layer's inputs are read by, shape (rank, inputs).
    scale
        Size of the update.
    """

    module: str
    out: Tensor
    into: Tensor
    scale: float

    @property
    def rank(self) -> int:
        """Rank of the update."""
        return self.into.shape[0]

    @property
    def update(self) -> Tensor:
        """The update itself, shape (outputs, inputs)."""
        return self.scale * (self.out @ self.into)


@torch.no_grad()
def add(encoder: nn.Module, plants: Sequence[Plant]) -> None:
    """Add updates to an encoder's weights."""
    for plant in plants:
        weight = _weight(encoder, plant.module)
        weight.add_(plant.update.to(weight))


@contextmanager
def planted(encoder: nn.Module, *plants: Plant) -> Iterator[None]:
    """Add updates for the block."""
    weights = [_weight(encoder, plant.module) for plant in plants]
    saved = [weight.detach().clone() for weight in weights]
    add(encoder, plants)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, saved, strict=True):
                weight.copy_(value)


def draw_plants(
    encoder: Any,
    ranks: Mapping[str, int],
    texts: Texts,
    effect: float,
    generator: torch.Generator,
    *,
    tick: Callable[[], None] = lambda: None,
) -> tuple[Plant, ...]:
    r"""Draw the updates, and make every planted rank count alike.

    A random update may change nothing anybody could find, or be of full rank on paper and of rank
    one on all inputs that occur, since the inputs of a transformer's layers have a large common
    mean. Two things are done against that:

    - Each module's directions are drawn from the principal components that hold half of the centred
      inputs' variance, whitened and without the mean, so that on the given texts the ``rank``
      responses are uncorrelated and of variance 1. With orthonormal columns on the other side, an
      update of rank k < r leaves at least the share (r - k) / r of the squared change undone.
    - The scale of each is searched for until the update alone changes the encoder's outputs by
      ``effect * sqrt(rank)``, see :func:`relative_change`.

    Parameters
    ----------
    encoder
        In evaluation mode.
    ranks
        Rank by module.
    texts
        Batches on which directions and scales are found.
    effect
        Relative change of the outputs by one rank.
    generator
        What decides the directions.
    tick
        Called once a module.

    Raises
    ------
    ConfigError
        If no update of a module changes the outputs that much.
    """
    before = outputs_of(encoder, texts)
    inputs = _inputs_of(encoder, list(ranks), texts)
    plants = []
    for module, rank in ranks.items():
        rows = _weight(encoder, module).shape[0]
        out, _ = torch.linalg.qr(torch.randn(rows, rank, generator=generator))
        into = whitened_directions(inputs[module], rank, generator)
        drawn = Plant(module, out, into, scale=effect)
        plants.append(_scaled(encoder, drawn, texts, before, effect * math.sqrt(rank)))
        tick()
    return tuple(plants)


def relative_change(before: Tensor, after: Tensor) -> float:
    """Root mean square change of outputs, over the standard deviation they have over tokens.

    Parameters
    ----------
    before, after
        Shape (tokens, hidden).
    """
    return float((after - before).square().mean().sqrt() / spread_of(before))


def whitened_directions(inputs: Tensor, rank: int, generator: torch.Generator) -> Tensor:
    """Random rows whose responses to the inputs are uncorrelated, of variance 1 and mean 0.

    Parameters
    ----------
    inputs
        Shape (tokens, inputs).
    rank
        Number of rows.
    generator
        What decides them.

    Returns
    -------
    Tensor
        Shape (rank, inputs).

    Raises
    ------
    ConfigError
        If the inputs do not vary in so many directions.
    """
    data = inputs.double()
    mean = data.mean(0)
    _, singular, components = torch.linalg.svd(data - mean, full_matrices=False)
    variance = singular.square() / len(data)
    rising = (variance.cumsum(0) / variance.sum()).contiguous()
    within = max(rank + 1, int(torch.searchsorted(rising, _SUBSPACE)) + 1)
    if within > len(variance) or variance[within - 1] <= 1e-12 * variance[0]:
        raise ConfigError(
            f"the inputs of a module vary in too few directions for a plant of rank {rank}; give "
            "more texts, or lower init_rank"
        )
    whiten = components[:within] / variance[:within].sqrt()[:, None]
    drawn = torch.randn(within, rank, generator=generator, dtype=torch.double)
    constant = (whiten @ mean)[:, None]
    # the first column of the factorisation is the mean's, and the others are orthogonal to it
    basis, _ = torch.linalg.qr(torch.cat([constant, drawn], dim=1))
    directions: Tensor = (basis[:, 1:].T @ whiten).to(inputs.dtype)
    return directions


def _scaled(encoder: Any, plant: Plant, texts: Texts, before: Tensor, wanted: float) -> Plant:
    """Search for the scale by rule of three, which the outputs nearly obey."""
    for _ in range(_ROUNDS):
        with planted(encoder, plant):
            found = relative_change(before, outputs_of(encoder, texts))
        if abs(found / wanted - 1) < _TOLERANCE:
            return plant
        plant = replace(plant, scale=plant.scale * min(max(wanted / max(found, 1e-9), 0.1), 10.0))
    raise ConfigError(
        f"no update of rank {plant.rank} in {plant.module} changes the outputs by {wanted:.2g} of "
        f"their standard deviation (reached {found:.2g}); lower effect, or choose another seed"
    )


def _inputs_of(encoder: Any, modules: list[str], texts: Texts) -> dict[str, Tensor]:
    """What each linear layer is given, shape (tokens, inputs), padding left out."""
    seen: dict[str, list[Tensor]] = {name: [] for name in modules}
    mask: list[Tensor] = []

    def watch(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            rows = given[0]
            there = mask[-1]
            seen[name].append(rows[there] if rows.shape[:2] == there.shape else rows.flatten(0, -2))

        return hook

    hooks = [encoder.get_submodule(n).register_forward_pre_hook(watch(n)) for n in modules]
    try:
        with torch.no_grad():
            for inputs in texts:
                mask.append(inputs["attention_mask"].bool())
                encoder(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(parts).cpu() for name, parts in seen.items()}


def _weight(encoder: nn.Module, module: str) -> Tensor:
    weight: Tensor = encoder.get_parameter(f"{module}.weight")
    return weight
