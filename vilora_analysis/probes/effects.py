"""The oracle: what happens to the loss, example by example, when one triplet is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vilora_analysis.errors import LayoutError
from vilora_analysis.probes.ablation import without
from vilora_analysis.probes.merged import apart, contribution, merged
from vilora_analysis.probes.replay import Replay

if TYPE_CHECKING:
    import pandas as pd

    from vilora_analysis.training.models import Encoder
    from vilora_analysis.training.tasks import Task
    from vilora_analysis.triplets import TripletLayout

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


def ablate_each(
    model: Any, layout: TripletLayout, batch: Batch, *, tick: Callable[[], None] = lambda: None
) -> Effects:
    """Remove every triplet in turn, and compute again only what comes after its matrix.

    What a triplet adds to the output of its matrix is taken away from what was recorded, and the
    other matrices compute with the adapter in their weights where they can. All of that is exact
    but for the rounding of float32: losses are those of a whole pass without the triplet to about
    1e-5, relative or absolute, and a triplet whose E is 0 changes nothing at all.

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

    with _merged_if_faithful(model, layout, run, batch.labels) as layers:
        replay = Replay(model, run)
        base, base_right = _judged(replay.result, batch.labels)
        _refuse_if_not_repeatable(replay, layout, base, batch.labels)
        judged = []
        for module in layout.modules:
            for k in range(module.rank):
                logits = _without(model, layout, replay, layers, module.name, module.first + k)
                judged.append(_judged(logits, batch.labels))
            tick()
    loss, right = (np.stack(values) for values in zip(*judged, strict=True))
    return Effects(batch.examples, base, base_right, loss, right)


@contextmanager
def _merged_if_faithful(
    model: Any, layout: TripletLayout, run: Callable[[], Tensor], labels: Tensor
) -> Iterator[Mapping[str, Any]]:
    """Merged layers by path; none if the model, as some kinds of adapters do, then differs."""
    with torch.no_grad():
        whole, _ = _judged(run(), labels)
        with merged(model, layout):
            faithful = np.allclose(_judged(run(), labels)[0], whole, rtol=1e-4, atol=1e-5)
    if not faithful:
        yield {}
        return
    with merged(model, layout) as layers:
        yield layers


def _without(
    model: Any,
    layout: TripletLayout,
    replay: Replay,
    layers: Mapping[str, Any],
    name: str,
    triplet: int,
) -> Tensor:
    """Logits without one triplet."""
    path = _path(name)
    layer, known = layers.get(path), replay.once(path)
    if layer is not None and known is not None:
        inputs, output = known
        added = contribution(model, layout, triplet, layer, inputs)
        return replay.run_after(path, output - added)
    with without(model, layout, [triplet]):
        if layer is None:
            return replay.run_from(path)
        with apart(layer):
            return replay.run_from(path)


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


def _refuse_if_not_repeatable(
    replay: Replay, layout: TripletLayout, base: np.ndarray, labels: Tensor
) -> None:
    """A forward that changes what its modules returned would make every replay wrong."""
    for module in (layout.modules[0], layout.modules[len(layout.modules) // 2]):
        again, _ = _judged(replay.run_from(_path(module.name)), labels)
        if not np.allclose(again, base, rtol=1e-5, atol=1e-6):
            raise LayoutError(
                "repeating a part of the forward pass gives another loss: the model changes what "
                "its modules returned, or draws random numbers; it cannot be ablated part by part"
            )


def _path(module: str) -> str:
    """Path of an adapted module in the PEFT model."""
    return f"base_model.model.{module}"
