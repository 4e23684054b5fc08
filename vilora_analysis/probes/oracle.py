"""``vilora oracle``: every triplet of a trained adapter removed in turn, and what it costs."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vilora_analysis.log import Run
from vilora_analysis.log.oracle import TARGETS, OracleFiles
from vilora_analysis.probes.effects import Batch, Effects, ablate_each, ablate_sets, batches_of
from vilora_analysis.probes.recovery import recover
from vilora_analysis.probes.subject import config_of, load_adapted
from vilora_analysis.training.config import RunConfig
from vilora_analysis.training.data import batches, load_task
from vilora_analysis.training.progress import progress_bar
from vilora_analysis.training.tasks import Task
from vilora_analysis.triplets import TripletLayout

__all__ = ["Question", "ask_oracle"]

SHARES: tuple[float, ...] = (1 / 6, 1 / 3, 1 / 2, 2 / 3)
"""Shares of the triplets that are removed together."""


@dataclass(frozen=True)
class Question:
    """What the oracle is asked.

    Attributes
    ----------
    examples
        Held-out examples, drawn without replacement; all if there are fewer.
    batch_size
        Examples that go through the model together.
    seed
        Of the draw, and of the random sets.
    random_sets
        Random sets of each size, for comparison.
    recovery_steps
        Steps of training after a third of the triplets was removed, for each score; 0 for none.
    """

    examples: int = 256
    batch_size: int = 32
    seed: int = 0
    random_sets: int = 8
    recovery_steps: int = 0


@dataclass(frozen=True)
class Subject:
    """A trained adapter with what it is asked on.

    Attributes
    ----------
    model, layout
        The adapted model in evaluation mode, and its layout.
    ks
        By triplet of the layout its k in the log, where pruned ones have numbers too.
    batches
        Held-out examples.
    training
        Training examples to recover with, a batch a step.
    """

    model: Any
    layout: TripletLayout
    ks: tuple[int, ...]
    batches: tuple[Batch, ...]
    training: tuple[Batch, ...]


def ask_oracle(
    run: Run, question: Question, data_dir: Path | None = None, *, progress: bool = True
) -> OracleFiles:
    """Remove every triplet of a run's adapter in turn, and write what happens to the loss.

    An oracle that was interrupted goes on where it was.

    Parameters
    ----------
    run
        A finished run of ``vilora train``, with its adapter; not pruned (criterion 'none') it
        answers for all triplets, else for those that were kept.
    question
        On how many examples, and so on.
    data_dir
        Where the task's data lies, as for the training.
    progress
        Whether to show a progress bar.

    Raises
    ------
    LogError
        If the run is not finished, has no adapter, or its folder holds an oracle of other settings.
    ConfigError
        If its model or data cannot be loaded.
    """
    config = config_of(run, data_dir)
    task, splits = load_task(config)
    split = next(iter(splits.validation))
    subject = _load(run, config, task, splits.validation[split], splits.train, question)
    files = OracleFiles(run.path)
    files.begin(
        {
            "run_id": run.manifest.run_id,
            "split": split,
            "batches": len(subject.batches),
            "data": _fingerprint(subject),
            **{item.name: getattr(question, item.name) for item in fields(question)},
        }
    )
    total = len(subject.batches) * len(subject.layout.modules)
    with progress_bar(total, desc="oracle", unit="matrix", show=progress) as bar:
        for number, batch in enumerate(subject.batches):
            if files.has_batch(number):
                bar.update(len(subject.layout.modules))
                continue
            effects = ablate_each(subject.model, subject.layout, batch, tick=bar.update)
            files.write_batch(number, _columns(subject, effects))
    if files.sets() is None:
        files.write_sets(_sets(run, subject, files, question))
    return files


def _load(
    run: Run,
    config: RunConfig,
    task: Task,
    held_out: pd.DataFrame,
    train: pd.DataFrame,
    question: Question,
) -> Subject:
    adapted, size = load_adapted(run, config, task), question.batch_size
    encoder = adapted.encoder
    rows = np.random.default_rng(question.seed).permutation(len(held_out))[: question.examples]
    asked = tuple(batches_of(encoder, task, held_out, rows.tolist(), size))
    steps = itertools.islice(batches(len(train), size, seed=question.seed), question.recovery_steps)
    training = tuple(
        batch for step in steps for batch in batches_of(encoder, task, train, step.tolist(), size)
    )
    return Subject(adapted.model, adapted.layout, adapted.ks, asked, training)


def _fingerprint(subject: Subject) -> str:
    """Of the examples themselves: another folder may hold other rows of the same number."""
    digest = hashlib.sha256()
    for batch in subject.batches:
        for tensor in (batch.inputs["input_ids"], batch.labels):
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _columns(subject: Subject, effects: Effects) -> dict[str, Any]:
    """Rows of one batch: first the whole model, then each triplet."""
    modules = [m.name for m in subject.layout.modules for _ in range(m.rank)]
    count = len(effects.examples)
    return {
        "example": np.tile(effects.examples, 1 + len(modules)).astype(np.int32),
        "module": [name for name in (None, *modules) for _ in range(count)],
        "k": [k for k in (None, *subject.ks) for _ in range(count)],
        "loss": np.concatenate([effects.base[None], effects.loss]).astype(np.float32).ravel(),
        "right": np.concatenate([effects.base_right[None], effects.right])
        .astype(np.float32)
        .ravel(),
    }


def _sets(run: Run, subject: Subject, files: OracleFiles, question: Question) -> pd.DataFrame:
    """Loss with the lowest by each score removed together, by the oracle, and at random."""
    orders = _orders(run, subject, files)
    generator = np.random.default_rng(question.seed)
    n = subject.layout.n_triplets
    for draw in range(question.random_sets):
        orders[f"random-{draw}"] = generator.permutation(n)
    asked = [(name, round(share * n)) for name in orders for share in SHARES]
    found = ablate_sets(
        subject.model,
        subject.layout,
        subject.batches,
        [orders[name][:size].tolist() for name, size in asked],
    )
    frame = pd.DataFrame(asked, columns=["order", "removed"])
    frame = frame.assign(n_triplets=n, loss=found[:, 0], right=found[:, 1])
    if subject.training:
        third = round(SHARES[1] * n)
        after = [_recovered(subject, orders[o][:k]) if k == third else None for o, k in asked]
        frame["recovered_loss"] = [np.nan if pair is None else pair[0] for pair in after]
        frame["recovered_right"] = [np.nan if pair is None else pair[1] for pair in after]
    return frame


def _recovered(subject: Subject, gone: np.ndarray) -> tuple[float, float]:
    return recover(subject.model, subject.layout, gone.tolist(), subject.training, subject.batches)


def _orders(run: Run, subject: Subject, files: OracleFiles) -> dict[str, np.ndarray]:
    """By score: triplets of the layout from the least important on."""
    modules = [m.name for m in subject.layout.modules for _ in range(m.rank)]
    keys = list(zip(modules, subject.ks, strict=True))
    changes = _changes(files.losses(), keys)
    orders = {
        "oracle" if target == "signed" else f"oracle-{target}": np.argsort(
            reduce(changes), kind="stable"
        )
        for target, reduce in TARGETS.items()
    }
    columns = [f"score.{name}" for name in run.score_names]
    last = run.triplets(["module", "k", *columns], steps=-1).set_index(["module", "k"]).loc[keys]
    for name, column in zip(run.score_names, columns, strict=True):
        orders[name] = np.argsort(last[column].to_numpy(), kind="stable")
    return orders


def _changes(losses: pd.DataFrame, keys: list[tuple[str, int]]) -> np.ndarray:
    """Loss without each triplet minus that with all, shape (triplets, examples)."""
    base = losses[losses["module"].isna()].set_index("example")["loss"].sort_index()
    single = losses.dropna(subset="module").astype({"module": str})
    wide = single.pivot_table("loss", ["module", "k"], "example")
    changes: np.ndarray = wide.loc[keys, base.index].to_numpy() - base.to_numpy()
    return changes
