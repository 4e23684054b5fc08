"""One run from configuration to results: the loop, legible from top to bottom."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.errors import require
from vilora_analysis.log import Run, open_run
from vilora_analysis.posterior import sampled_parameters
from vilora_analysis.recording import Recording, instrument
from vilora_analysis.training.data import Splits, batches, load_splits
from vilora_analysis.training.evaluation import evaluate
from vilora_analysis.training.models import Encoder, adapt, load_pretrained
from vilora_analysis.training.optimizers import build_optimizer, build_schedule
from vilora_analysis.training.tasks import Task, get_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vilora_analysis.training.config import RunConfig

__all__ = ["prepare", "train"]


def train(config: RunConfig, *, progress: bool = True) -> Run:
    """Train, prune, record and evaluate one run.

    Parameters
    ----------
    config
        What to run.
    progress
        Whether to show a progress bar on standard error.

    Returns
    -------
    Run
        The finished run, opened for reading; the adapter lies beside the log, as PEFT saves it.

    Raises
    ------
    ViloraError
        For anything that a user can mend: data, model, extras, run directory.
    """
    task = get_task(config.task)
    splits = load_splits(task, config.data_dir)
    encoder = prepare(config, task)
    optimizer = build_optimizer(encoder.model, config, rows=len(splits.train))
    recording = instrument(
        encoder.model,
        optimizer,
        config.directory,
        criterion=None if config.criterion == "none" else config.criterion,
        every=config.record_every,
        elements_every=config.elements_every,
        config=config.as_dict(),
    )
    with recording:
        _run_steps(config, task, splits, encoder, optimizer, recording, progress=progress)
        results = evaluate(encoder, task, splits.validation)
        recording.log(**{f"eval_{name}": value for name, value in results.items()})
        recording.results.update(results, budget_kept=recording.n_kept)
    _save_adapter(encoder, config.directory / "adapter")
    return open_run(config.directory)


def _save_adapter(encoder: Encoder, folder: Path) -> None:
    with warnings.catch_warnings():
        # PEFT takes a matrix whose rank was pruned to 0 for a shard that was not gathered
        warnings.filterwarnings("ignore", message=r".*LoRA tensor\(s\) have invalid shape")
        encoder.model.save_pretrained(folder, save_embedding_layers=False)


def prepare(config: RunConfig, task: Task) -> Encoder:
    """Seed everything, then load and adapt the model."""
    require("transformers", extra="train").set_seed(config.seed)
    encoder = load_pretrained(config.model, task, config.max_length)
    encoder.model = adapt(encoder.model, config)
    encoder.model.to("cuda" if torch.cuda.is_available() else "cpu")
    encoder.model.train()
    return encoder


def _run_steps(
    config: RunConfig,
    task: Task,
    splits: Splits,
    encoder: Encoder,
    optimizer: torch.optim.Optimizer,
    recording: Recording,
    *,
    progress: bool,
) -> None:
    schedule = build_schedule(optimizer, config)
    rows = batches(len(splits.train), config.batch_size, seed=config.seed)
    # a context, so that an error starts on a line of its own
    with _progress_bar(config, show=progress) as bar:
        for step, chosen in zip(range(1, config.steps + 1), rows, strict=False):
            frame = splits.train.iloc[chosen]
            batch = encoder.encode([frame[column].tolist() for column in task.texts])
            kind = torch.float32 if task.regression else torch.int64
            labels = torch.tensor(
                frame["label"].to_numpy(), dtype=kind, device=encoder.model.device
            )
            with sampled_parameters(optimizer):
                loss = encoder.model(**batch, labels=labels).loss
                loss.backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            loss_now = loss.item()  # once: it waits for the device
            recording.log(loss=loss_now)
            if config.eval_every and step % config.eval_every == 0 and step < config.steps:
                metrics = evaluate(encoder, task, splits.validation)
                recording.log(**{f"eval_{name}": value for name, value in metrics.items()})
            bar.set_postfix(_shown(loss_now, recording), refresh=False)
            bar.update()


def _progress_bar(config: RunConfig, *, show: bool) -> Any:
    tqdm = require("tqdm", extra="train")
    return tqdm.tqdm(
        total=config.steps,
        desc=config.directory.name,
        unit="step",
        disable=not show,
        file=sys.stderr,
        mininterval=0.5,
        dynamic_ncols=True,
    )


def _shown(loss: float, recording: Recording) -> Mapping[str, str]:
    return {"loss": f"{loss:.3f}", "kept": str(recording.n_kept)}
