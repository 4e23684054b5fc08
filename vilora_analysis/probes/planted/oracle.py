"""What a perfect knower of the student would go by: the loss without each triplet in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import Tensor

from vilora_analysis.probes.ablation import without
from vilora_analysis.probes.merged import path_of
from vilora_analysis.probes.planted.outputs import squared_error
from vilora_analysis.probes.replay import Replay

if TYPE_CHECKING:
    from vilora_analysis.triplets import TripletLayout

__all__ = ["Lesson", "losses_of", "without_each"]


@dataclass(frozen=True)
class Lesson:
    """Texts and what the teacher makes of them.

    Attributes
    ----------
    inputs
        Tensors for the model.
    target
        The teacher's last hidden states.
    """

    inputs: Mapping[str, Any]
    target: Tensor


def losses_of(student: Any, lessons: Sequence[Lesson], unit: float) -> np.ndarray:
    """Distillation loss of each text, in units of the teacher's change; shape (texts,)."""
    parts = [_losses(_replay(student, lesson).result, lesson, unit) for lesson in lessons]
    return np.concatenate(parts)


def without_each(
    student: Any,
    layout: TripletLayout,
    lessons: Sequence[Lesson],
    unit: float,
    *,
    tick: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Remove every triplet in turn; only what comes after its matrix is computed again.

    Parameters
    ----------
    student, layout
        The student in evaluation mode, and its layout.
    lessons
        Held-out texts.
    unit
        Mean squared error that counts as 1.
    tick
        Called once a matrix and batch.

    Returns
    -------
    DataFrame
        One row a triplet: module, k; ``effect``, the mean rise of the loss without it, and its
        standard error over the texts, ``error``.
    """
    keys = [(module.name, k) for module in layout.modules for k in range(module.rank)]
    parts = [_rises(student, layout, lesson, unit, tick) for lesson in lessons]
    rise = np.concatenate(parts, axis=1)
    frame = pd.DataFrame(keys, columns=["module", "k"])
    error = rise.std(axis=1, ddof=1) / np.sqrt(rise.shape[1])
    return frame.assign(effect=rise.mean(1), error=error)


def _rises(
    student: Any,
    layout: TripletLayout,
    lesson: Lesson,
    unit: float,
    tick: Callable[[], None],
) -> np.ndarray:
    """Rise of the loss, shape (triplets, texts)."""
    replay = _replay(student, lesson)
    base = _losses(replay.result, lesson, unit)
    rows = []
    for module in layout.modules:
        for k in range(module.rank):
            with without(student, layout, [module.first + k]):
                hidden = replay.run_from(path_of(module))
            rows.append(_losses(hidden, lesson, unit) - base)
        tick()
    return np.stack(rows)


def _replay(student: Any, lesson: Lesson) -> Replay:
    return Replay(student, lambda: student(**lesson.inputs).hidden)


def _losses(hidden: Tensor, lesson: Lesson, unit: float) -> np.ndarray:
    loss = squared_error(hidden, lesson.target, lesson.inputs["attention_mask"]) / unit
    found: np.ndarray = loss.double().cpu().numpy()
    return found
