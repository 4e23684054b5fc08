"""``vilora oracle``: every triplet of a trained adapter removed in turn, and what it costs."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vilora_analysis.errors import ConfigError, LogError, require
from vilora_analysis.log import Run
from vilora_analysis.log.oracle import OracleFiles
from vilora_analysis.probes.effects import Batch, Effects, ablate_each, ablate_sets, batches_of
from vilora_analysis.probes.recovery import recover
from vilora_analysis.training import processes
from vilora_analysis.training.config import RunConfig
from vilora_analysis.training.data import batches, load_task
from vilora_analysis.training.models import load_pretrained
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
    config = _config_of(run, data_dir)
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


def _config_of(run: Run, data_dir: Path | None) -> RunConfig:
    known = {item.name for item in fields(RunConfig)}
    config = run.manifest.config
    unknown = [name for name in ("task", "model", "method") if name not in config]
    if unknown:
        raise LogError(
            f"{run.path} was not made by vilora train: its configuration has no "
            f"{', '.join(unknown)}; in a script of your own, use probes.effects.ablate_each"
        )
    settings = {name: value for name, value in config.items() if name in known}
    settings["text_columns"] = tuple(settings.get("text_columns", ()))
    if settings["text_columns"]:
        raise ConfigError(f"{run.path} was trained on files of one's own, which it does not name")
    return RunConfig(**{**settings, "data_dir": data_dir})


def _load(
    run: Run,
    config: RunConfig,
    task: Task,
    held_out: pd.DataFrame,
    train: pd.DataFrame,
    question: Question,
) -> Subject:
    folder = run.path / "adapter"
    if run.manifest.status != "finished":
        raise LogError(f"{run.path} is not finished; resume it first, with --resume")
    if not (folder / "adapter_config.json").exists():
        raise LogError(f"{run.path} has no adapter to ask about")
    encoder = load_pretrained(config.model, task, config.max_length)
    encoder.model = _with_adapter(encoder.model, folder)
    encoder.model.to(processes.device()).eval()
    layout = TripletLayout.from_model(encoder.model)
    size, numbers = question.batch_size, _numbers_in_log(encoder.model, layout)
    rows = np.random.default_rng(question.seed).permutation(len(held_out))[: question.examples]
    asked = tuple(batches_of(encoder, task, held_out, rows.tolist(), size))
    steps = itertools.islice(batches(len(train), size, seed=question.seed), question.recovery_steps)
    training = tuple(
        batch for step in steps for batch in batches_of(encoder, task, train, step.tolist(), size)
    )
    return Subject(encoder.model, layout, numbers, asked, training)


def _fingerprint(subject: Subject) -> str:
    """Of the examples themselves: another folder may hold other rows of the same number."""
    digest = hashlib.sha256()
    for batch in subject.batches:
        for tensor in (batch.inputs["input_ids"], batch.labels):
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _with_adapter(model: Any, folder: Path) -> Any:
    peft = require("peft", extra="train")
    with warnings.catch_warnings():
        # PEFT reads an AdaLoRA pattern as one of LoRA's and finds no module of that name
        warnings.filterwarnings("ignore", message=".*rank_pattern keys did not match")
        warnings.simplefilter("ignore", FutureWarning)
        return peft.PeftModel.from_pretrained(model, folder, is_trainable=True)


def _numbers_in_log(model: Any, layout: TripletLayout) -> tuple[int, ...]:
    """PEFT numbers what it kept from 0; the log counts what was pruned as well."""
    pattern = next(iter(model.peft_config.values())).rank_pattern
    rows = layout.pattern_rows(pattern) if pattern else [[True] * m.rank for m in layout.modules]
    return tuple(k for row in rows for k, alive in enumerate(row) if alive)


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
    losses = files.losses()
    modules = [m.name for m in subject.layout.modules for _ in range(m.rank)]
    keys = list(zip(modules, subject.ks, strict=True))
    means = losses.dropna(subset="module").groupby(["module", "k"], observed=True)["loss"].mean()
    orders = {"oracle": np.argsort(means.loc[keys].to_numpy(), kind="stable")}
    columns = [f"score.{name}" for name in run.score_names]
    last = run.triplets(["module", "k", *columns], steps=-1).set_index(["module", "k"]).loc[keys]
    for name, column in zip(run.score_names, columns, strict=True):
        orders[name] = np.argsort(last[column].to_numpy(), kind="stable")
    return orders
