"""The student: the encoder with AdaLoRA in every linear layer, and the distillation loss."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vilora_analysis.errors import ConfigError, LayoutError, require
from vilora_analysis.probes.planted.outputs import squared_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vilora_analysis.probes.planted.plant import Plant
    from vilora_analysis.probes.planted.task import PlantedTask
    from vilora_analysis.triplets import TripletLayout

__all__ = [
    "Distilled",
    "Told",
    "bare_encoder",
    "linear_layers",
    "make_student",
    "tell",
    "updates",
    "weights",
]


@dataclass
class Told:
    """What a forward pass gives.

    Attributes
    ----------
    hidden
        Last hidden states, shape (texts, tokens, hidden).
    loss
        Distillation loss, to which PEFT adds AdaLoRA's orthogonality penalty; None without target.
    distance
        The same without penalty or gradient.
    """

    hidden: Tensor
    loss: Tensor | None = None
    distance: Tensor | None = None


class Distilled(nn.Module):
    """An encoder whose loss is its distance from given outputs.

    Parameters
    ----------
    encoder
        The encoder.
    name
        Name it goes by, the first part of its modules' paths.
    unit
        Mean squared error that counts as 1.
    """

    def __init__(self, encoder: Any, name: str, unit: float) -> None:
        super().__init__()
        self.add_module(name, encoder)
        self.config = encoder.config
        self._name, self.unit = name, unit

    def forward(self, target: Tensor | None = None, **inputs: Any) -> Told:
        """Encode; with a target, give the loss as well."""
        hidden = getattr(self, self._name)(**inputs).last_hidden_state
        if target is None:
            return Told(hidden)
        loss = squared_error(hidden, target, inputs["attention_mask"]).mean() / self.unit
        return Told(hidden, loss, loss.detach().clone())


def bare_encoder(model: Any) -> tuple[Any, str]:
    """Take the encoder out of a model with a head, and its name there; in evaluation mode.

    A pooler is left out as well: the last hidden states do not depend on it.

    Raises
    ------
    ConfigError
        If the model is not built of an encoder and a head.
    """
    name = str(getattr(model, "base_model_prefix", ""))
    encoder = getattr(model, name, None) if name else None
    if encoder is None:
        raise ConfigError(f"{type(model).__name__} is not an encoder with a head; choose another")
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder.eval(), name


def linear_layers(encoder: nn.Module) -> list[str]:
    """Paths of all linear layers, in the order of the model."""
    return [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]


def make_student(encoder: Any, name: str, unit: float, task: PlantedTask) -> Any:
    """Adapt an encoder by AdaLoRA of full initial rank; it is not pruned.

    Dropout stays off: its noise is no part of the question, and the teacher has none.
    """
    peft = require("peft", extra="train")
    schedule = task.training().schedule(matrices=1)
    config = peft.AdaLoraConfig(
        init_r=task.init_rank,
        target_r=schedule.target_budget,
        tinit=schedule.tinit,
        tfinal=schedule.tfinal,
        deltaT=schedule.allocate_every,
        total_step=task.steps,
        orth_reg_weight=task.orth_reg_weight,
        lora_alpha=task.alpha,
        target_modules=[f"{name}.{layer}" for layer in linear_layers(encoder)],
    )
    with warnings.catch_warnings():
        # raised by the libraries against each other, nothing a user could act on
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(Distilled(encoder, name, unit), config).eval()


@torch.no_grad()
def tell(student: Any, layout: TripletLayout, name: str, plants: Sequence[Plant]) -> None:
    """Set the adapter to the planted updates, and to nothing elsewhere: what a knower would know.

    Raises
    ------
    LayoutError
        If a plant's module is not adapted, or its rank is higher than the adapter's.
    """
    modules = {module.name: module for module in layout.modules}
    for module in layout.modules:
        _layer(student, module.name).lora_E["default"].zero_()
    for plant in plants:
        path = f"{name}.{plant.module}"
        if path not in modules or modules[path].rank < plant.rank:
            raise LayoutError(f"the adapter has no room for rank {plant.rank} in {path}")
        layer = _layer(student, path)
        layer.lora_A["default"][: plant.rank] = plant.into
        layer.lora_B["default"][:, : plant.rank] = plant.out
        layer.lora_E["default"][: plant.rank] = plant.scale / _factor(layer)


@torch.no_grad()
def updates(student: Any, layout: TripletLayout) -> dict[str, Tensor]:
    """By module the update of its weight that the adapter makes, shape (outputs, inputs)."""
    found = {}
    for module in layout.modules:
        layer = _layer(student, module.name)
        A, E, B = (getattr(layer, f"lora_{f}")["default"] for f in "AEB")
        found[module.name] = (_factor(layer) * (B @ (A * E))).cpu()
    return found


@torch.no_grad()
def weights(student: Any, layout: TripletLayout) -> dict[str, Tensor]:
    """By module the frozen weight, shape (outputs, inputs)."""
    return {m.name: _layer(student, m.name).base_layer.weight.cpu() for m in layout.modules}


def _factor(layer: Any) -> float:
    """What PEFT multiplies B diag(E) A by."""
    return float(layer.scaling["default"] / (layer.ranknum["default"] + 1e-5))


def _layer(student: Any, module: str) -> Any:
    return student.base_model.model.get_submodule(module)
