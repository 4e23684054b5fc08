"""One planted task from plant to answer: draw, teach, record, ask the oracle, write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, open_run
from vilora_analysis.log.lock import is_held
from vilora_analysis.log.planted import PlantedFiles
from vilora_analysis.posterior import sampled_parameters
from vilora_analysis.probes.planted.classroom import Classroom, open_classroom
from vilora_analysis.probes.planted.oracle import Lesson, losses_of, without_each
from vilora_analysis.probes.planted.student import updates, weights
from vilora_analysis.probes.planted.task import PlantedTask
from vilora_analysis.probes.planted.teacher import module_table
from vilora_analysis.recording import Recording, instrument
from vilora_analysis.training.data import batches
from vilora_analysis.training.optimizers import build_optimizer, build_schedule
from vilora_analysis.training.progress import progress_bar

if TYPE_CHECKING:
    from torch.optim import Optimizer

__all__ = ["run_planted"]


def run_planted(task: PlantedTask, out: Path, *, progress: bool = True) -> Run:
    """Plant, teach and ask; a task that is done is left alone.

    The run is made aside and takes its name when everything is there, so one that was interrupted
    begins anew. The same task gives the same run (bit by bit on a CPU).

    Parameters
    ----------
    task
        What to plant, and how to train.
    out
        Folder; the run goes to ``seed-N`` in it.
    progress
        Whether to show progress bars.

    Returns
    -------
    Run
        The recorded run of the student: unpruned, every score recorded, and beside its log
        ``planted/``, see :class:`vilora_analysis.log.planted.PlantedFiles`. Its losses are in units
        of the teacher's mean squared change: the student begins at 1.

    Raises
    ------
    LogError
        If the folder holds a task of other settings under this seed, or another process writes it.
    ConfigError
        If model or texts cannot be loaded, or nothing can be planted.
    """
    directory = out / f"seed-{task.seed}"
    if directory.exists():
        _refuse_another(directory, task)
        return open_run(directory)
    aside = out / f".{directory.name}.unfinished"
    if aside.exists():
        _clear(aside)
    _make(task, aside, directory.name, progress=progress)
    aside.replace(directory)
    return open_run(directory)


def _refuse_another(directory: Path, task: PlantedTask) -> None:
    there, asked = PlantedFiles(directory).settings(), json.loads(json.dumps(task.as_dict()))
    differ = [name for name in asked if there.get(name) != asked[name]]
    if differ:
        said = ", ".join(f"{name} {there.get(name)}, not {asked[name]}" for name in differ)
        raise LogError(f"{directory} was made with other settings ({said}); choose another --out")


def _clear(aside: Path) -> None:
    if is_held(aside):
        raise LogError(f"{aside} is being written by another process; wait for it, or end it")
    shutil.rmtree(aside)


def _make(task: PlantedTask, directory: Path, label: str, *, progress: bool) -> None:
    room = open_classroom(task, label=label, progress=progress)
    optimizer = build_optimizer(room.student, task.training(), rows=len(room.splits.train))
    lessons = room.lessons(task.held_out, task.seed)
    recording = instrument(
        room.student,
        optimizer,
        directory,
        scores="all",
        every=task.record_every,
        config={"task": "planted", **task.as_dict()},
    )
    with recording:
        recording.results["loss_start"] = float(losses_of(room.student, lessons, room.unit).mean())
        with progress_bar(task.steps, desc=f"{label} learns", unit="step", show=progress) as bar:
            _teach(room, task, optimizer, recording, bar)
        recording.results["loss"] = float(losses_of(room.student, lessons, room.unit).mean())
        _ask(room, task, lessons, directory, label, progress=progress)


def _teach(
    room: Classroom, task: PlantedTask, optimizer: Optimizer, recording: Recording, bar: Any
) -> None:
    schedule = build_schedule(optimizer, task.training())
    train = room.splits.train
    chosen = batches(len(train), task.batch_size, seed=task.seed)
    for _, rows in zip(range(task.steps), chosen, strict=False):
        lesson = room.lesson(train.iloc[rows])
        with sampled_parameters(optimizer):
            told = room.student(target=lesson.target, **lesson.inputs)
            told.loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        recording.log(loss=float(told.distance))
        bar.set_postfix({"loss": f"{float(told.distance):.3f}"}, refresh=False)
        bar.update()


def _ask(
    room: Classroom,
    task: PlantedTask,
    lessons: Sequence[Lesson],
    directory: Path,
    label: str,
    *,
    progress: bool,
) -> None:
    total = len(lessons) * len(room.layout.modules)
    with progress_bar(total, desc=f"{label} oracle", unit="matrix", show=progress) as bar:
        asked = without_each(room.student, room.layout, lessons, room.unit, tick=bar.update)
    learnt = updates(room.student, room.layout)
    whole = weights(room.student, room.layout)
    modules = module_table(room.layout, room.name, room.found, room.plants, learnt, whole)
    PlantedFiles(directory).write(task.as_dict(), modules, asked)
