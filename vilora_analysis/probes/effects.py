"""The oracle: what happens to the loss, example by example, when one triplet is removed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vilora_analysis.errors import LayoutError
from vilora_analysis.probes.ablation import without
from vilora_analysis.probes.merged import Merged, apart, merged, path_of
from vilora_analysis.probes.needed import only_needed
from vilora_analysis.probes.replay import Replay

if TYPE_CHECKING:
    import pandas as pd

    from vilora_analysis.training.models import Encoder
    from vilora_analysis.training.tasks import Task
    from vilora_analysis.triplets import TripletLayout
    from vilora_analysis.triplets.discovery import AdaptedModule

__all__ = ["Batch", "Effects", "ablate_each", "ablate_sets", "batches_of"]


@dataclass(frozen=True)
class Batch:
    """Examples of like length that go through the model together.

    Attributes
    ----------
    examples
        Row numbers in the split.
    inputs
        Tensors for the model, without labels.
    labels
        Class ids, or values of a regression.
    """

    examples: np.ndarray
    inputs: Mapping[str, Any]
    labels: Tensor


@dataclass(frozen=True)
class Effects:
    """Losses of one batch.

    Attributes
    ----------
    examples
        Row numbers in the split.
    base, base_right
        Loss of each example with all triplets, and whether it is classified rightly (for a
        regression, minus the squared error).
    loss, right
        The same without each triplet; shape (triplets, examples).
    """

    examples: np.ndarray
    base: np.ndarray
    base_right: np.ndarray
    loss: np.ndarray
    right: np.ndarray


def batches_of(
    encoder: Encoder, task: Task, frame: pd.DataFrame, rows: Sequence[int], batch_size: int
) -> Iterator[Batch]:
    """Cut rows of a split into batches, the longest texts first."""
    texts = [frame[column].tolist() for column in task.texts]
    ordered = sorted(rows, key=lambda i: -sum(len(column[i]) for column in texts))
    for start in range(0, len(ordered), batch_size):
        chosen = ordered[start : start + batch_size]
        yield Batch(np.array(chosen), *encoder.encode_rows(task, frame.iloc[chosen]))


@torch.no_grad()
def ablate_each(
    model: Any, layout: TripletLayout, batch: Batch, *, tick: Callable[[], None] = lambda: None
) -> Effects:
    """Remove every triplet in turn, and compute again only what comes after its matrix.

    What a triplet adds to the output of its matrix is taken away from what was recorded. The other
    matrices compute with the adapter in their weights where they can, and leave out positions that
    do not reach the classifier. All of that is exact but for the rounding of float32: losses are
    those of a whole pass without the triplet to about 1e-5, relative or absolute, and a triplet
    whose E is 0 changes nothing at all.

    Parameters
    ----------
    model, layout
        The adapted model in evaluation mode, and its layout.
    batch
        Examples.
    tick
        Called once a matrix.

    Raises
    ------
    LayoutError
        If an adapted matrix takes no part in the forward pass, or a pass cannot be repeated.
    """

    def run() -> Tensor:
        return model(**batch.inputs).logits.float()  # type: ignore[no-any-return]

    with ExitStack() as stack:
        replay, layers = _recorded(model, layout, batch, run, stack)
        base, base_right = _judged(replay.result, batch.labels)
        _refuse_if_not_repeatable(replay, layout)
        judged = []
        for module in layout.modules:
            for logits in _without_each(model, layout, module, replay, layers):
                judged.append(_judged(logits, batch.labels))
            tick()
    loss, right = (np.stack(values) for values in zip(*judged, strict=True))
    return Effects(batch.examples, base, base_right, loss, right)


def _recorded(
    model: Any, layout: TripletLayout, batch: Batch, run: Callable[[], Tensor], stack: ExitStack
) -> tuple[Replay, Mapping[str, Merged]]:
    """A pass in as few operations as the model can be computed in, until the stack is closed.

    What makes a difference to the logits is left out: some adapters are no sum of weights. With all
    triplets that may not show, where something is saturated; so half of them are tried as well.
    """

    def fewer(layers: Mapping[str, Merged]) -> Tensor:
        with _some_gone(model, layout, layers):
            return run()

    expected, expected_fewer = run(), fewer({})

    def faithful(replay: Replay, layers: Mapping[str, Merged]) -> bool:
        return _alike(replay.result, expected) and _alike(fewer(layers), expected_fewer)

    with ExitStack() as trial:
        layers = trial.enter_context(merged(model, layout))
        replay = Replay(model, run)
        if fits := faithful(replay, layers):
            stack.push(trial.pop_all())
    if not fits:
        layers, replay = {}, Replay(model, run)
    if "attention_mask" not in batch.inputs:
        return replay, layers
    with ExitStack() as trial:
        trial.enter_context(only_needed(model, replay, batch.inputs["attention_mask"] > 0))
        replay = Replay(model, run)
        if fits := faithful(replay, layers):
            stack.push(trial.pop_all())
    if not fits:
        replay = Replay(model, run)
    return replay, layers


@contextmanager
def _some_gone(model: Any, layout: TripletLayout, layers: Mapping[str, Merged]) -> Iterator[None]:
    """Every other triplet removed for the block, of merged layers as well."""
    gone = range(0, layout.n_triplets, 2)
    with ExitStack() as stack:
        for module in layout.modules:
            if layer := layers.get(path_of(module)):
                own = [k for k in range(module.rank) if module.first + k in gone]
                stack.enter_context(layer.without(own))
        # last: merged layers share A with the adapter
        stack.enter_context(without(model, layout, gone))
        yield


def _without_each(
    model: Any,
    layout: TripletLayout,
    module: AdaptedModule,
    replay: Replay,
    layers: Mapping[str, Merged],
) -> Iterator[Tensor]:
    """Logits without each triplet of a module."""
    path = path_of(module)
    merged_layer, known = layers.get(path), replay.once(path)
    if merged_layer is not None and known is not None:
        inputs, output = known
        for less in merged_layer.without_each(inputs, output):
            yield replay.result if less is None else replay.run_after(path, less)
        return
    for k in range(module.rank):
        with without(model, layout, [module.first + k]), ExitStack() as stack:
            if merged_layer is not None:
                stack.enter_context(apart(merged_layer.layer))
            yield replay.run_from(path)


@torch.no_grad()
def ablate_sets(
    model: Any, layout: TripletLayout, batches: Sequence[Batch], sets: Sequence[Sequence[int]]
) -> np.ndarray:
    """Mean loss and mean rightness with each set of triplets removed together.

    Returns
    -------
    ndarray
        Shape (sets, 2).
    """
    rows = []
    for gone in sets:
        with without(model, layout, gone):
            judged = [_judged(model(**b.inputs).logits.float(), b.labels) for b in batches]
        rows.append([np.concatenate([j[i] for j in judged]).mean() for i in (0, 1)])
    return np.array(rows)


def _judged(logits: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Loss of each example, and whether it is right."""
    if logits.shape[-1] == 1:
        error = (logits[:, 0] - labels).square()
        return error.cpu().numpy(), -error.cpu().numpy()
    loss = functional.cross_entropy(logits, labels, reduction="none")
    return loss.cpu().numpy(), (logits.argmax(-1) == labels).float().cpu().numpy()


def _alike(found: Tensor, expected: Tensor, *, rounding: float = 1e-5) -> bool:
    """Whether logits differ by rounding alone; the losses of a confident batch are 0 of any."""
    largest = float(expected.abs().max())
    return math.isfinite(largest) and torch.allclose(
        found, expected, rtol=10 * rounding, atol=rounding * largest
    )


def _refuse_if_not_repeatable(replay: Replay, layout: TripletLayout) -> None:
    """A forward that changes what its modules returned would make every replay wrong."""
    for module in (layout.modules[0], layout.modules[len(layout.modules) // 2]):
        if not _alike(replay.run_from(path_of(module)), replay.result, rounding=1e-6):
            raise LayoutError(
                "repeating a part of the forward pass gives other logits: the model changes what "
                "its modules returned, or draws random numbers; it cannot be ablated part by part"
            )
