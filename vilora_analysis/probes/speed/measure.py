"""Time training steps of several variants, interleaved in one process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from vilora_analysis.errors import ConfigError
from vilora_analysis.probes.speed.machine import describe_machine, load_average
from vilora_analysis.probes.speed.question import ALLOCATED
from vilora_analysis.probes.speed.replica import Replica, copy_trained
from vilora_analysis.probes.speed.stopwatch import PHASES, Stopwatch, waiting_for
from vilora_analysis.training import processes
from vilora_analysis.training.data import Splits, batches, load_task
from vilora_analysis.training.progress import progress_bar
from vilora_analysis.training.run import prepare

if TYPE_CHECKING:
    from vilora_analysis.probes.speed.question import SpeedQuestion
    from vilora_analysis.probes.speed.variants import Variant
    from vilora_analysis.training.models import Encoder
    from vilora_analysis.training.tasks import Task

__all__ = ["Measured", "measure"]


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes
    ----------
    steps
        A row a step and variant, by step and then in the order of the variants: ``step``,
        ``variant``, ``optimizer``, ``criterion``, ``allocator``, ``record_every`` (0: not
        recorded); ``place`` of the variant in the round, from 0; ``allocates``, ``records``, what
        the step did; ``seams``, whether the clock was read within it; ``seconds`` of the step;
        ``loss``, with the penalty; ``seconds.PHASE`` of its parts, missing without seams.
    writing
        A row a recorded variant: ``variant``, ``steps`` recorded, ``seconds`` that writing them
        out took at the end, ``bytes`` of the table of triplets.
    machine
        One row, see :func:`describe_machine`, with what was trained on it, and the load average
        before and after.
    """

    steps: pd.DataFrame
    writing: pd.DataFrame
    machine: pd.DataFrame


def measure(
    question: SpeedQuestion,
    variants: Sequence[Variant] | None = None,
    *,
    progress: bool = True,
    clock: Callable[[], float] | None = None,
) -> Measured:
    """Train copies of one model side by side, a step of each in turn, and time the steps.

    All take the same batches, and begin with the same weights and random numbers; the frozen
    weights are the same tensors. The order of the variants is drawn anew for every round, so that
    none always follows the same one. Encoding the batch is no part of a step.

    Parameters
    ----------
    question
        What to train, and how often.
    variants
        In which ways; by default those of the question.
    progress
        Whether to show a progress bar.
    clock
        Gives seconds; by default that of the question.

    Raises
    ------
    ConfigError
        If model or data cannot be loaded, or the processor's time is asked for of an accelerator.
    """
    clock = clock or {"wall": time.perf_counter, "cpu": time.process_time}[question.clock]
    variants = question.variants() if variants is None else variants
    with _computing_with(question.threads), tempfile.TemporaryDirectory() as folder:
        device = processes.device()
        if question.clock == "cpu" and device.type != "cpu":
            raise ConfigError("clock cpu would leave out what the accelerator does; take wall")
        rounds = question.rounds(accelerator=device.type != "cpu")
        configs = [question.config(variant, rounds) for variant in variants]
        task, splits = load_task(configs[0])
        encoder = prepare(configs[0], task)
        watch = Stopwatch(clock, waiting_for(device))
        replicas = [
            Replica(
                variant,
                config,
                copy_trained(encoder.model),
                len(splits.train),
                Path(folder) / str(number),
                watch,
            )
            for number, (variant, config) in enumerate(zip(variants, configs, strict=True))
        ]
        before = load_average()
        given = islice(_batches(question, encoder, task, splits), rounds)
        with _closing(replicas):
            steps = _rounds(question, replicas, given, rounds, progress=progress)
        writing = _write(replicas, clock)
        machine = describe_machine(device) | _trained(question, encoder, replicas)
    machine |= {"load_before": before, "load_after": load_average()}
    return Measured(pd.DataFrame(steps), writing, pd.DataFrame([machine]))


@contextmanager
def _computing_with(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _closing(replicas: Sequence[Replica]) -> Iterator[None]:
    """Give up the logs if anything goes wrong; else they are closed later, with the clock on."""
    try:
        yield
    except BaseException:
        for replica in replicas:
            replica.close(failed=True)
        raise


def _batches(
    question: SpeedQuestion, encoder: Encoder, task: Task, splits: Splits
) -> Iterator[dict[str, Any]]:
    """What training takes, in the same order."""
    for rows in batches(len(splits.train), question.batch_size, seed=question.seed):
        inputs, labels = encoder.encode_rows(task, splits.train.iloc[rows])
        yield {**inputs, "labels": labels}


def _rounds(
    question: SpeedQuestion,
    replicas: Sequence[Replica],
    given: Iterator[dict[str, Any]],
    rounds: int,
    *,
    progress: bool,
) -> list[dict[str, Any]]:
    """A row for each counted step: not the first ones, nor the last, which ends the schedule."""
    rows = []
    accelerated = rounds != question.rounds(accelerator=False)
    total = rounds * len(replicas)
    with progress_bar(total, desc="bench", unit="step", show=progress) as bar:
        for step, batch in enumerate(given, start=1):
            seams = not accelerated or step > question.warm_up + question.steps
            taken = {}
            for place, number in enumerate(_order(len(replicas), question.seed, step)):
                measured = replicas[number].step(batch, seams=seams)
                taken[int(number)] = {"place": place, "seams": seams, **measured}
                bar.update()
            if question.warm_up < step < rounds:
                rows += [_row(step, replicas[i].variant, taken[i]) for i in sorted(taken)]
    return rows


def _order(count: int, seed: int, step: int) -> np.ndarray:
    return np.random.default_rng([seed, step]).permutation(count)


def _row(step: int, variant: Variant, taken: dict[str, Any]) -> dict[str, Any]:
    every = variant.record_every
    kind = {
        "step": step,
        "variant": variant.name,
        "optimizer": variant.optimizer,
        "criterion": variant.criterion,
        "allocator": variant.allocator,
        "record_every": every,
        "allocates": step % ALLOCATED == 0,
        "records": every > 0 and step % every == 0,
    }
    return kind | dict.fromkeys((f"seconds.{phase}" for phase in PHASES), np.nan) | taken


def _write(replicas: Sequence[Replica], clock: Callable[[], float]) -> pd.DataFrame:
    rows = []
    for replica in replicas:
        began = clock()
        replica.close()
        seconds = clock() - began
        every = replica.variant.record_every
        if every:
            steps = replica.recording.step // every if replica.recording is not None else 0
            rows.append((replica.variant.name, steps, seconds, replica.bytes_written))
    return pd.DataFrame(rows, columns=["variant", "steps", "seconds", "bytes"])


def _trained(
    question: SpeedQuestion, encoder: Encoder, replicas: Sequence[Replica]
) -> dict[str, Any]:
    """What the time was taken of."""
    trained = sum(p.numel() for p in encoder.model.parameters() if p.requires_grad)
    layouts = [
        r.recording.allocator.layout for r in replicas if r.recording and r.recording.allocator
    ]
    return {
        "model": question.model,
        "task": question.task,
        "batch_size": question.batch_size,
        "max_length": question.max_length,
        "clock": question.clock,
        "trained_parameters": trained,
        "triplets": layouts[0].n_triplets if layouts else 0,
    }
