"""One line around a training loop: attach, snapshot, score, allocate, log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from torch import distributed

from vilora_analysis import scores as registry
from vilora_analysis.allocation import Metric, Rule
from vilora_analysis.errors import ConfigError, nearest
from vilora_analysis.log.failures import OnError, check_on_error
from vilora_analysis.log.places import as_place
from vilora_analysis.posterior import has_posterior
from vilora_analysis.recording.allocating import AllocationKind, Asked
from vilora_analysis.recording.choice import (
    recorded_inputs,
    recorded_scores,
    refuse_what_cannot_be_had,
)
from vilora_analysis.recording.describe import describe_run, open_log
from vilora_analysis.recording.recorder import Recording, resumed_step
from vilora_analysis.recording.triplet_steps import Recorded, TripletSteps
from vilora_analysis.scores import Smoothing
from vilora_analysis.triplets import Binding, TripletLayout, unwrap_optimizer

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

__all__ = ["adalora_model", "instrument", "is_main"]


def instrument(
    model: nn.Module,
    optimizer: Optimizer,
    out: str | Path | None = None,
    *,
    criterion: str | None = None,
    allocation: AllocationKind = "budget",
    l1_penalty: float = 0.0,
    l1_metric: Metric = "optimizer",
    scores: str | Sequence[str] | None = None,
    every: int = 1,
    elements_every: int = 0,
    drive: bool = True,
    rule: Rule = "exact",
    fisher_beta: float | None = None,
    flush_seconds: float = 60.0,
    on_error: OnError = "raise",
    config: Mapping[str, Any] | None = None,
    metrics_only: bool = False,
    resume: Mapping[str, Any] | None = None,
) -> Recording:
    """Record and prune during somebody's own training loop, through optimizer hooks.

    The loop is not edited, and what it trains is the same to the last bit as without recording.

    Parameters
    ----------
    model
        PEFT model with one trainable AdaLoRA adapter (or LoRA, to observe).
    optimizer
        Optimizer over its parameters: IVON, or any other for scores that need no posterior.
    out
        Run directory to be; None allocates without recording.
    criterion
        Score to prune by, in the place of PEFT's allocator and on the schedule of the model's
        ``AdaLoraConfig``; None only observes. Named as in ``scores``.
    allocation
        ``"budget"`` prunes to a budget by the criterion; ``"l1"`` shrinks the singular values by a
        proximal step of an L1 penalty, from the ``AdaLoraConfig``'s ``tinit`` on, and keeps what is
        not 0: see :class:`vilora_analysis.allocation.ProximalAllocator`. Scores are observed then.
    l1_penalty, l1_metric
        Weight of the L1 norm beside the loss, and what its steps are measured in.
    scores
        Scores to record: None for the paper's, your own and the criterion, as far as this optimizer
        can feed them; else names of scores or of families (``"default"``, ``"all"``,
        ``"bridge"``), each score with an aggregation if it is not the published one
        (``"snr@sum"``, see :mod:`vilora_analysis.aggregation`).
    every
        Steps between two recorded ones.
    elements_every
        Steps between two full snapshots of all elements; 0 takes none.
    drive
        Whether each step calls ``update_and_allocate``; False if the loop calls it itself.
    rule
        ``"exact"`` or ``"published"``, see :func:`vilora_analysis.allocation.select`. The published
        rule also takes the last decision from the sensitivities of the step before, as PEFT does.
    fisher_beta
        Decay of ``fisher_batch``; None takes IVON's ``beta2``, so that the average reaches as far
        back as the Hessian it is compared with (0.999 for optimizers without one).
    flush_seconds
        What a killed process loses at most.
    on_error
        What happens when the log cannot be written any more: the disk is full, the folder is gone.
        ``"raise"`` stops with a ``LogError`` that names path and remedy; what was written stays
        whole, and a run with a checkpoint can be resumed. ``"warn"`` warns once and goes on,
        training what it would have trained; what could not be written is dropped, ``run.json``
        lists it under ``gaps``, and writing is tried again at every flush. Stopping is the default:
        a log with a hole is found out when the run is over and cannot be mended then, and whatever
        stops a log will soon stop a checkpoint. Choose ``"warn"`` where training itself is what
        must not be lost, as in a long run without checkpoints. With it, a step whose numbers are
        not finite is a gap too, as long as no decision rests on them. That the log cannot even be
        opened is an error either way, since nothing is lost yet.
    config
        Anything about the run that belongs in its manifest.
    metrics_only
        Record no adapter, just the metrics: for full fine-tuning, which has no triplets.
    resume
        What :meth:`Recording.state_dict` gave when the checkpoint was made that model and optimizer
        were loaded from; the log in ``out`` goes on after that step.

    Returns
    -------
    Recording
        To be used as a context manager.

    Raises
    ------
    LayoutError
        If model and optimizer do not fit together.
    ScoreError
        If a score is unknown or needs a posterior, or a factor, that is not there.
    ConfigError
        If the schedule leaves no step to allocate in, ``allocation`` and ``criterion`` contradict
        each other, ``rule``, ``out`` or ``flush_seconds`` is none, or ``resume`` is not such a
        state.
    LogError
        If the run directory cannot be written.

    Notes
    -----
    Of several processes, only that of rank 0 writes; all of them decide, and alike.
    """
    if type(every) is not int or every < 1 or elements_every < 0:
        raise ConfigError(
            f"every {every} must be a whole number, at least 1, elements_every {elements_every} 0"
        )
    check_on_error(on_error)
    _refuse_settings(out, rule, flush_seconds)
    asked = Asked(criterion, allocation, l1_penalty, l1_metric, rule)
    if metrics_only and not asked.observes:
        raise ConfigError(f"metrics_only records no triplets to prune by {criterion or 'l1'!r}")
    model, inner = _unwrap(model), unwrap_optimizer(optimizer)
    layout = None if metrics_only else TripletLayout.from_model(model)
    adalora = adalora_model(model)
    peft_config = _peft_config(adalora)
    logged = out is not None and layout is not None
    factors = layout.factors if layout is not None else ()
    recorded = Recorded(
        inputs=recorded_inputs(inner) if logged else (),
        scores=recorded_scores(inner, factors, scores, criterion) if logged else (),
        every=every,
        elements_every=elements_every,
    )
    in_use = [*recorded.scores, *([criterion] if criterion else [])]
    refuse_what_cannot_be_had(inner, factors, in_use)
    binding = Binding.create(layout, model, inner) if layout is not None else None
    allocator = asked.allocator(binding, adalora, peft_config) if binding is not None else None
    smoothing = Smoothing.for_inputs(
        {*recorded.inputs, *registry.requirements(in_use)},
        beta1=getattr(peft_config, "beta1", 0.85),
        beta2=getattr(peft_config, "beta2", 0.85),
        fisher_beta=_fisher_beta(inner) if fisher_beta is None else fisher_beta,
    )
    writer = None
    if out is not None and is_main():
        manifest = describe_run(inner, layout, recorded, allocator, smoothing, config or {})
        step = None if resume is None else resumed_step(resume)
        writer = open_log(
            as_place(out), manifest, recorded, factors, flush_seconds, step, on_error=on_error
        )
    triplets = None
    if binding is not None:
        triplets = TripletSteps(
            binding=binding,
            adalora=adalora,
            allocator=allocator,
            writer=writer,
            smoothing=smoothing,
            recorded=recorded,
            drive=drive,
        )
    recording = Recording(inner, triplets, writer)
    if resume is not None:
        _take_up(recording, resume)
    return recording


def _take_up(recording: Recording, state: Mapping[str, Any]) -> None:
    try:
        recording.load_state_dict(state)
    except BaseException:
        recording.close(failed=True)  # no hooks and no lock stay behind
        raise


def _refuse_settings(out: str | Path | None, rule: str, flush_seconds: float) -> None:
    if out is not None and not str(out).strip():
        raise ConfigError("out is empty; name a folder for the run, or None to record nothing")
    if rule not in get_args(Rule):
        hint = nearest(str(rule), get_args(Rule))
        raise ConfigError(f"rule {rule!r} is neither 'exact' nor 'published'; {hint}".rstrip("; "))
    if not flush_seconds >= 0:
        raise ConfigError(f"flush_seconds {flush_seconds} must be a number of seconds, at least 0")


def _fisher_beta(optimizer: Optimizer) -> float:
    posterior = has_posterior(optimizer)
    return float(optimizer.param_groups[0]["beta2"]) if posterior else 0.999


def _unwrap(model: nn.Module) -> nn.Module:
    """Take off what holds a model under another name: torch.compile's wrapper, and DDP's."""
    inner = dict(model.named_children())
    for name in ("_orig_mod", "module"):
        if set(inner) == {name}:
            return _unwrap(inner[name])
    return model


def is_main() -> bool:
    """Whether this process writes: the only one, or of several the first."""
    return not (distributed.is_available() and distributed.is_initialized()) or (
        distributed.get_rank() == 0
    )


def adalora_model(model: Any) -> Any:
    """PEFT's ``AdaLoraModel`` inside a model."""
    while model is not None:
        # not hasattr: PeftModel forwards unknown names to what it wraps
        if "rankallocator" in vars(model):
            return model
        model = getattr(model, "_modules", {}).get("base_model")
    return None


def _peft_config(adalora: Any) -> Any:
    return None if adalora is None else adalora.peft_config[adalora.trainable_adapter_name]
