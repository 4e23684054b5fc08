"""A teacher, a student and what they read, made ready from a task's settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from vilora_analysis.errors import require
from vilora_analysis.probes.planted.oracle import Lesson
from vilora_analysis.probes.planted.plant import Plant, draw_plants
from vilora_analysis.probes.planted.student import bare_encoder, linear_layers, make_student
from vilora_analysis.probes.planted.task import PlantedTask, draw_ranks
from vilora_analysis.probes.planted.teacher import change_of_outputs, effects, make_teacher
from vilora_analysis.training import processes
from vilora_analysis.training.data import Splits, load_splits
from vilora_analysis.training.models import Encoder, load_pretrained
from vilora_analysis.training.progress import progress_bar
from vilora_analysis.training.tasks import Task, get_task
from vilora_analysis.triplets import TripletLayout

__all__ = ["Classroom", "open_classroom"]

_CALIBRATION, _BATCH = 64, 64
"""Texts on which the plant is drawn and scaled, and texts that go through a model together."""


@dataclass(frozen=True)
class Classroom:
    """A teacher, a student and what they read.

    Attributes
    ----------
    plants, found
        What was planted, and what each plant does (see
        :func:`vilora_analysis.probes.planted.teacher.effects`).
    teacher, student, layout
        The models, and the layout of the student's adapter.
    name
        Name that the encoder goes by in the student.
    unit
        Mean squared change of the outputs by the teacher's updates: a loss of 1.
    task, splits, encoder
        Texts, and what makes tensors of them.
    """

    plants: tuple[Plant, ...]
    found: pd.DataFrame
    teacher: Any
    student: Any
    layout: TripletLayout
    name: str
    unit: float
    task: Task
    splits: Splits
    encoder: Encoder

    @property
    def held_out(self) -> pd.DataFrame:
        """Rows of the first held-out split."""
        return next(iter(self.splits.validation.values()))

    @torch.no_grad()
    def lesson(self, rows: pd.DataFrame) -> Lesson:
        """Read some rows to the teacher."""
        inputs, _ = self.encoder.encode_rows(self.task, rows)
        return Lesson(inputs, self.teacher(**inputs).last_hidden_state)

    def lessons(self, count: int, seed: int) -> list[Lesson]:
        """Held-out texts, drawn without replacement, those of like length together."""
        chosen = _some(self.task, self.held_out, count, seed)
        parts = range(0, len(chosen), _BATCH)
        return [self.lesson(chosen.iloc[start : start + _BATCH]) for start in parts]


def open_classroom(task: PlantedTask, *, label: str = "", progress: bool = False) -> Classroom:
    """Seed everything, load the encoder, draw the plant, and make teacher and student.

    Parameters
    ----------
    task
        Settings.
    label, progress
        Name on the progress bar, and whether to show it.

    Raises
    ------
    ConfigError
        If model or texts cannot be loaded, or nothing can be planted.
    """
    require("transformers", extra="train").set_seed(task.seed)
    texts = get_task(task.texts)
    splits = load_splits(texts, task.data_dir)
    encoder = load_pretrained(task.model, texts, task.max_length)
    encoder.model.to(processes.device())
    bare, name = bare_encoder(encoder.model)
    some = list(_inputs(encoder, texts, _some(texts, splits.train, _CALIBRATION, task.seed)))
    ranks = draw_ranks(task, linear_layers(bare))
    generator = torch.Generator().manual_seed(task.seed)
    with progress_bar(len(ranks), desc=f"{label} plants", unit="module", show=progress) as bar:
        plants = draw_plants(bare, ranks, some, task.effect, generator, tick=bar.update)
    unit, found = change_of_outputs(bare, plants, some), effects(bare, plants, some)
    teacher = make_teacher(bare, plants)
    student = make_student(bare, name, unit, task)
    layout = TripletLayout.from_model(student)
    return Classroom(plants, found, teacher, student, layout, name, unit, texts, splits, encoder)


def _some(task: Task, rows: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Rows drawn without replacement, all if there are fewer; the longest texts first."""
    chosen = rows.iloc[np.random.default_rng(seed).permutation(len(rows))[:count]]
    lengths = np.sum([chosen[name].str.len() for name in task.texts], axis=0)
    return chosen.iloc[np.argsort(-lengths, kind="stable")]


def _inputs(encoder: Encoder, task: Task, rows: pd.DataFrame) -> Iterator[Any]:
    for start in range(0, len(rows), _BATCH):
        yield encoder.encode_rows(task, rows.iloc[start : start + _BATCH])[0]
