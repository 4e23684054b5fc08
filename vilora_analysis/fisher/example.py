"""Gradients of single examples for every adapter element, several examples a pass.

One forward and backward pass gives what goes into each adapted layer and the gradient of what comes
out, example by example. The layer alone is then differentiated once an example, by ``torch.func``:
it is a linear map, so no formula of PEFT's is written down again, and no model has to be rewritten
for it. A layer that is called twice in a pass, or on something that all examples share (DeBERTa
projects its table of relative positions with the query's and key's weights), does not tell the
examples apart: such models are differentiated one example at a time. Whatever way is taken, the
sum over examples must be the gradient of the sum, which one backward pass gives by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vilora_analysis.errors import ConfigError, LayoutError
from vilora_analysis.fisher.layers import Calls, layer_gradients, tells_apart
from vilora_analysis.fisher.moments import GradientMoments

if TYPE_CHECKING:
    from vilora_analysis.triplets import TripletLayout

__all__ = [
    "example_fisher",
    "example_gradients",
    "example_losses",
    "penalty_gradient",
    "undisturbed",
]

Examples = tuple[Mapping[str, Any], Tensor]
"""Inputs of the model without labels, and the labels: class ids, or values of a regression."""


def example_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Task loss of each example: cross-entropy, or the squared error of a regression."""
    if logits.shape[-1] == 1:
        return (logits[:, 0] - labels).square()
    return functional.cross_entropy(logits, labels, reduction="none")


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for the block; modes and random numbers are afterwards as before."""
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.enable_grad():
            model.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training


def example_fisher(
    model: nn.Module, layout: TripletLayout, batches: Iterable[Examples]
) -> GradientMoments:
    """Moments of the gradients of single examples at the weights the model has.

    Parameters
    ----------
    model, layout
        The adapted model, in any mode, and its layout. Neither the modes, nor ``.grad``, nor the
        random numbers change.
    batches
        Examples, some that go through the model together.

    Returns
    -------
    GradientMoments
        Of the task loss without dropout, in the layout's flat order; unit 1/theta^2 of squares. The
        orthogonality penalty belongs to no example; add it by
        ``moments.shifted(penalty_gradient(...))``.

    Raises
    ------
    ConfigError
        If there are no examples.
    LayoutError
        As :func:`example_gradients`.
    """
    moments: GradientMoments | None = None
    with undisturbed(model):
        for inputs, labels in batches:
            found = GradientMoments.of(example_gradients(model, layout, inputs, labels))
            moments = found if moments is None else moments + found
    if moments is None:
        raise ConfigError("there are no examples to take gradients of")
    return moments


def example_gradients(
    model: nn.Module, layout: TripletLayout, inputs: Mapping[str, Any], labels: Tensor
) -> Tensor:
    """Gradient of each example's task loss.

    Parameters
    ----------
    model, layout
        The adapted model in evaluation mode, and its layout.
    inputs, labels
        A batch.

    Returns
    -------
    Tensor
        Shape (examples, layout.n_elements).

    Raises
    ------
    LayoutError
        If the model is in training mode, examples influence each other, or an adapter parameter
        takes no part in the loss.
    """
    if model.training:
        raise LayoutError("gradients of examples need evaluation mode; call model.eval()")
    parameters = _parameters(model, layout)
    with Calls.of(model, layout) as calls:
        losses = _losses(model, inputs, labels)
    if not tells_apart(calls, layout, len(labels)):
        return _one_by_one(model, parameters, inputs, labels)
    outputs = [calls[module.name][0].output for module in layout.modules]
    whole = _differentiate(losses.sum(), [*outputs, *parameters.values()])
    upstream = whole[: len(outputs)]
    by_name: dict[str, Tensor] = {}
    for module, above in zip(layout.modules, upstream, strict=True):
        by_name |= layer_gradients(model, module, calls[module.name][0], above)
    rows = _flat([by_name[name] for name in parameters])
    _refuse_if_not_the_sum(rows, _flat([g[None] for g in whole[len(outputs) :]])[0])
    return rows


def penalty_gradient(
    model: nn.Module, layout: TripletLayout, inputs: Mapping[str, Any], labels: Tensor
) -> Tensor:
    """Gradient of what the training loss has besides the task's: AdaLoRA's orthogonality penalty.

    Parameters
    ----------
    model, layout, inputs, labels
        As for :func:`example_gradients`; the penalty is the same for all examples.

    Returns
    -------
    Tensor
        Shape (layout.n_elements,); zero for LoRA.
    """
    with undisturbed(model):
        outputs: Any = model(**inputs, labels=labels)
        # of the same logits, so that the task's part cancels before it is propagated
        penalty = outputs.loss - example_losses(outputs.logits, labels).mean()
        parameters = _parameters(model, layout)
        found = torch.autograd.grad(penalty, list(parameters.values()), materialize_grads=True)
    return layout.gather(found)


def _parameters(model: nn.Module, layout: TripletLayout) -> dict[str, Tensor]:
    live = dict(model.named_parameters())
    return {name: live[name] for name in layout.parameter_names}


def _losses(model: nn.Module, inputs: Mapping[str, Any], labels: Tensor) -> Tensor:
    return example_losses(model(**inputs).logits.float(), labels)


def _flat(gradients: list[Tensor]) -> Tensor:
    """Lay gradients of shape (examples, rows, columns) out side by side."""
    return torch.cat([gradient.flatten(1) for gradient in gradients], 1)


def _differentiate(loss: Tensor, sides: list[Tensor]) -> tuple[Tensor, ...]:
    try:
        return torch.autograd.grad(loss, sides)
    except RuntimeError as error:
        raise LayoutError(f"an adapter parameter takes no part in the loss: {error}") from None


def _one_by_one(
    model: nn.Module, parameters: Mapping[str, Tensor], inputs: Mapping[str, Any], labels: Tensor
) -> Tensor:
    rows = []
    for i in range(len(labels)):
        one = {name: value[i : i + 1] for name, value in inputs.items()}
        loss = _losses(model, one, labels[i : i + 1]).sum()
        gradients = _differentiate(loss, list(parameters.values()))
        rows.append(_flat([gradient[None] for gradient in gradients]))
    return torch.cat(rows)


def _refuse_if_not_the_sum(rows: Tensor, whole: Tensor) -> None:
    """The oracle that every call brings along."""
    error = float((rows.sum(0) - whole).norm())
    scale = float(rows.norm(dim=1).sum())
    if not error <= 1e-3 * scale:
        raise LayoutError(
            f"gradients of {len(rows)} examples do not add up to that of their sum (off by "
            f"{error:.1e} of {scale:.1e}): examples influence each other in this model, or an "
            "adapted layer draws random numbers"
        )
