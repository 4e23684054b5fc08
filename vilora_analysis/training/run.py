"""One run from configuration to results: the loop, legible from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vilora_analysis.adapter import save_adapter
from vilora_analysis.errors import require
from vilora_analysis.log import Run, open_run
from vilora_analysis.posterior import Posterior, sampled_parameters
from vilora_analysis.recording import Recording, instrument
from vilora_analysis.training import processes
from vilora_analysis.training.best import Best
from vilora_analysis.training.checkpoint import random_states
from vilora_analysis.training.data import Splits, batches, load_task
from vilora_analysis.training.evaluation import evaluate
from vilora_analysis.training.fisher import record_fisher
from vilora_analysis.training.models import Encoder, adapt, load_pretrained
from vilora_analysis.training.optimizers import build_optimizer, build_schedule
from vilora_analysis.training.orthogonality import stacked_penalty
from vilora_analysis.training.progress import progress_bar
from vilora_analysis.training.resume import Resumed, find_state, save_state
from vilora_analysis.training.saving import Saving
from vilora_analysis.training.tasks import Task

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from vilora_analysis.training.config import RunConfig

__all__ = ["prepare", "train"]


@dataclass(frozen=True)
class Parts:
    """What a run is made of."""

    config: RunConfig
    task: Task
    splits: Splits
    encoder: Encoder
    optimizer: Optimizer
    schedule: LRScheduler
    best: Best
    saving: Saving


def train(config: RunConfig, *, progress: bool = True) -> Run:
    """Train, prune, record and evaluate one run.

    Under ``torchrun`` or ``accelerate launch`` the batch is shared by the processes, and the first
    one writes.

    Parameters
    ----------
    config
        What to run; with ``resume`` a run that was interrupted goes on from its last checkpoint,
        and ends bit by bit (on a CPU) as if it had not been; one that is finished is left alone.
    progress
        Whether to show a progress bar on standard error.

    Returns
    -------
    Run
        The finished run, opened for reading. Beside its log lie ``adapter`` (as PEFT saves it, and
        its posterior), and ``adapter-best`` if the run was evaluated on the way.

    Raises
    ------
    ViloraError
        For anything that a user can mend: data, model, extras, run directory.
    """
    with processes.process_group(config.directory):
        found = find_state(config)
        processes.wait()  # nobody writes before all have looked
        if not found.finished:
            _train(config, found, progress=progress)
        if processes.is_main():
            found.forget()
    return open_run(config.directory)


def _train(config: RunConfig, found: Resumed, *, progress: bool) -> None:
    task, splits = load_task(config)
    encoder = prepare(config, task)
    optimizer = build_optimizer(encoder.model, config, rows=len(splits.train))
    schedule = build_schedule(optimizer, config)
    best, saving = Best(config.directory), Saving(config.on_error)
    parts = Parts(config, task, splits, encoder, optimizer, schedule, best, saving)
    found.restore(encoder.model, optimizer, schedule, parts.best)
    recording = instrument(
        encoder.model,
        optimizer,
        config.directory,
        criterion=None if config.criterion == "none" else config.criterion,
        allocation=config.allocation,
        l1_penalty=config.l1_penalty,
        l1_metric=config.l1_metric,
        scores=config.scores,
        every=config.record_every,
        elements_every=config.elements_every,
        on_error=config.on_error,
        config=config.as_dict(),
        metrics_only=config.method == "full_ft",
        resume=found.recording,
    )
    found.restore_random()
    with recording, _penalty(config, encoder.model):
        _run_steps(parts, recording, progress=progress)
        _finish(parts, recording)


def _penalty(config: RunConfig, model: Any) -> AbstractContextManager[None]:
    return stacked_penalty(model) if config.fast_penalty else nullcontext()


def prepare(config: RunConfig, task: Task) -> Encoder:
    """Seed everything, then load and adapt the model."""
    require("transformers", extra="train").set_seed(config.seed)
    encoder = load_pretrained(config.model, task, config.max_length, bf16=config.bf16)
    encoder.model = adapt(encoder.model, config)
    encoder.model.to(processes.device())
    encoder.model.train()
    return encoder


def _run_steps(parts: Parts, recording: Recording, *, progress: bool) -> None:
    config, encoder, optimizer = parts.config, parts.encoder, parts.optimizer
    model = processes.synchronized(encoder.model)
    done = recording.step
    rows = batches(len(parts.splits.train), config.batch_size, seed=config.seed, done=done)
    # a context, so that an error starts on a line of its own
    with progress_bar(
        config.steps,
        initial=done,
        desc=config.directory.name,
        unit="step",
        show=progress and processes.is_main(),
    ) as bar:
        for step, chosen in zip(range(done + 1, config.steps + 1), rows, strict=False):
            batch = _batch(parts, processes.share(chosen))
            with sampled_parameters(optimizer):
                with encoder.autocast():
                    loss = model(**batch).loss
                loss.backward()
            optimizer.step()
            parts.schedule.step()
            optimizer.zero_grad()
            loss_now = processes.mean(loss.detach())
            recording.log(loss=loss_now)
            bar.set_postfix(_shown(loss_now, recording), refresh=False)
            bar.update()
            if step < config.steps:
                _between(parts, recording)


def _batch(parts: Parts, rows: Any) -> dict[str, Any]:
    inputs, labels = parts.encoder.encode_rows(parts.task, parts.splits.train.iloc[rows])
    return {**inputs, "labels": labels}


def _between(parts: Parts, recording: Recording) -> None:
    """Evaluate, measure and save between two steps, where it is due."""
    config, step = parts.config, recording.step
    if config.eval_every and step % config.eval_every == 0:
        _evaluate(parts, recording)
    _take_fisher(parts, recording)
    if config.checkpoints and step % config.checkpoints == 0:
        random = random_states()
        if processes.is_main():
            _save(parts, recording, random)


def _save(parts: Parts, recording: Recording, random: list[dict[str, Any]]) -> None:
    """Write a checkpoint; where the log may fail, so may this."""
    with parts.saving.attempt("checkpoint", recording.step):
        save_state(
            parts.config,
            parts.encoder.model,
            parts.optimizer,
            parts.schedule,
            parts.best,
            recording,
            random,
        )


def _take_fisher(parts: Parts, recording: Recording) -> None:
    config, step = parts.config, recording.step
    if config.fisher_every and step % config.fisher_every == 0 and processes.is_main():
        record_fisher(config, parts.encoder, parts.task, parts.splits.train, step)


def _evaluate(parts: Parts, recording: Recording) -> dict[str, float]:
    """Evaluate at the mean (and by samples), log it, and keep the best."""
    config, model = parts.config, parts.encoder.model
    posterior = _pruned_posterior(parts, recording) if config.eval_samples else None
    results = evaluate(
        parts.encoder,
        parts.task,
        parts.splits.validation,
        posterior,
        samples=config.eval_samples,
        seed=config.seed,
    )
    recording.log(**{f"eval_{name}": value for name, value in results.items()})
    if config.eval_every:
        first = next(iter(results))
        allocator = recording.allocator
        kept = allocator.in_use() if allocator is not None else None
        with parts.saving.attempt("copy of the best model", recording.step):
            parts.best.offer(first, results, recording.step, kept, model, parts.optimizer)
    return results


def _pruned_posterior(parts: Parts, recording: Recording) -> Posterior:
    """The posterior without the triplets that were pruned, as the saved adapter has it."""
    posterior = Posterior.from_optimizer(parts.encoder.model, parts.optimizer)
    allocator = recording.allocator
    if allocator is None:
        return posterior
    return posterior.pruned(allocator.layout, allocator.in_use())


def _finish(parts: Parts, recording: Recording) -> None:
    """Evaluate, report, and save the adapters before the run counts as finished."""
    _take_fisher(parts, recording)
    results = _evaluate(parts, recording)
    recording.results.update(results)
    if parts.config.eval_every:
        recording.results.update(parts.best.results())
    if recording.n_kept or recording.allocator is not None:
        recording.results["budget_kept"] = recording.n_kept
    recording.detach()
    if processes.is_main():
        model, directory = parts.encoder.model, parts.config.directory
        save_adapter(model, parts.optimizer, directory / "adapter")
        parts.best.save_adapter(model, directory / "adapter-best")


def _shown(loss: float, recording: Recording) -> Mapping[str, str]:
    kept = recording.n_kept
    return {"loss": f"{loss:.3f}", **({"kept": str(kept)} if kept else {})}
