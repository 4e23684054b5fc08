"""The recording inside ``transformers.Trainer``: one callback drives IVON, allocates, records."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from vilora_analysis.errors import ConfigError, LayoutError
from vilora_analysis.log.failures import OnError, check_on_error
from vilora_analysis.posterior import has_posterior, sampled_parameters
from vilora_analysis.recording import Recording, instrument
from vilora_analysis.training.checkpoint import load_checkpoint, save_checkpoint
from vilora_analysis.triplets import unwrap_optimizer

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

__all__ = ["VILoRACallback"]

_STATE_FILE = "vilora.pt"


class VILoRACallback(TrainerCallback):
    """Instrument the optimizer of a ``Trainer``, and draw IVON's weights for each step.

    With gradient accumulation the weights are drawn once for all micro-batches of a step, and the
    gradient that IVON collects is the one after clipping. Every checkpoint of the Trainer gets a
    file beside it with which ``resume_from_checkpoint`` goes on, log included.

    Parameters
    ----------
    out
        Run directory to be; None allocates without recording.
    criterion
        Score to prune by; None only observes.
    on_error
        ``"raise"`` or ``"warn"``: what happens when the log cannot be written, see
        :func:`vilora_analysis.instrument`. Checkpoints are the Trainer's, which stops if it cannot
        write one.
    resume_from
        Folder of the checkpoint given to ``trainer.train``, where it is not
        ``output_dir/checkpoint-STEP``.
    **options
        Further arguments of :func:`vilora_analysis.instrument`.

    Notes
    -----
    When training starts, the callback raises ``ConfigError`` for settings of the Trainer that it
    cannot work with (fp16 with its loss scaler, DeepSpeed, FSDP) and for a schedule whose last
    allocation lies beyond the end of training; ``LayoutError`` if model and optimizer do not fit, a
    parameter gets no gradient, another callback allocates too, or the Trainer steps an optimizer
    that is not the one at hand.
    """

    def __init__(
        self,
        out: str | Path | None = None,
        *,
        criterion: str | None = "snr",
        on_error: OnError = "raise",
        resume_from: str | Path | None = None,
        **options: Any,
    ) -> None:
        check_on_error(on_error)
        self._out = out
        self._options = {"criterion": criterion, "on_error": on_error, **options}
        self._resume_from = resume_from
        self._sample = ExitStack()
        self._optimizer: Any = None
        self.recording: Recording | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Attach to model and optimizer, which exist from here on."""
        self.close()
        settings: Any = args
        _refuse_settings(settings)
        self._optimizer = kwargs["optimizer"]
        options = {"config": {"trainer": settings.to_dict()}} | self._options
        if state.global_step:
            options["resume"] = self._saved_state(settings, state)
        self.recording = instrument(kwargs["model"], self._optimizer, self._out, **options)
        try:
            _refuse_schedule(self.recording, state.max_steps)
        except ConfigError:
            self.close()
            raise

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Draw the weights of this step."""
        self._unwind()
        self._sample.enter_context(sampled_parameters(self._optimizer))

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Go back to the mean weights, with the gradient collected."""
        self._sample.close()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Make sure that the step was taken, and by the optimizer that is recorded."""
        if self.recording is not None and self.recording.step != state.global_step + 1:
            raise LayoutError(
                f"the Trainer took step {state.global_step + 1}, the recorded optimizer step "
                f"{self.recording.step}; give the Trainer one optimizer, and the callback once"
            )

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write what the Trainer logs: loss, evaluation metrics."""
        numbers = {
            name: value
            for name, value in (kwargs.get("logs") or {}).items()
            if isinstance(value, (int, float))
        }
        # the Trainer evaluates on request after training as well
        if self.recording is not None and not self.recording.closed:
            self.recording.log(**numbers)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Go back to the mean weights where a pass ends within an accumulation."""
        self._unwind()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Put beside the Trainer's checkpoint what it needs to go on."""
        if self.recording is not None and state.is_world_process_zero:
            contents = {"recording": self.recording.state_dict(), "hess": self._hess()}
            save_checkpoint(_checkpoint(args, state.global_step) / _STATE_FILE, contents)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Finish the log."""
        self._unwind()
        if self.recording is None:
            return
        if args.load_best_model_at_end and state.best_model_checkpoint:
            self._take_best(Path(state.best_model_checkpoint))
        if self._options["criterion"] is None and not self.recording.was_pruned:
            _warn_never_pruned(kwargs["model"], self.recording.step)
        self.recording.close()

    def close(self) -> None:
        """Give the model its mean weights back, and end the log as failed if it is open.

        For whoever catches an exception of ``trainer.train()`` and goes on with the model.
        """
        self._unwind()
        if self.recording is not None:
            self.recording.close(failed=True)

    def _unwind(self) -> None:
        """Leave drawn weights, if a step was begun and not taken, without a gradient."""
        with suppress(_Unwound), self._sample.pop_all():
            raise _Unwound

    def _hess(self) -> list[Any] | None:
        """Sigma of this checkpoint, for the case that it turns out the best."""
        if not has_posterior(self._optimizer):
            return None
        return [group["hess"].cpu() for group in unwrap_optimizer(self._optimizer).param_groups]

    def _saved_state(self, args: Any, state: TrainerState) -> Any:
        folder = Path(self._resume_from or _checkpoint(args, state.global_step))
        saved = load_checkpoint(folder / _STATE_FILE)
        if saved is None:
            raise ConfigError(
                f"there is no {_STATE_FILE} in {folder}, so the recording cannot go on at step "
                f"{state.global_step}; name the checkpoint with VILoRACallback(resume_from=...), "
                "go on from an older one that has it, or train from the start"
            )
        if not (folder / "optimizer.pt").exists():
            raise ConfigError(
                f"{folder} has no optimizer.pt (save_only_model?), so IVON's Hessian and momentum "
                "are lost and the posterior cannot go on; save the optimizer as well"
            )
        return saved["recording"]

    def _take_best(self, folder: Path) -> None:
        """The Trainer has loaded its best weights: go back to their sigma and kept set."""
        allocator = self.recording.allocator if self.recording is not None else None
        saved = load_checkpoint(folder / _STATE_FILE)
        if saved is not None and saved["hess"] is not None:
            groups = unwrap_optimizer(self._optimizer).param_groups
            for group, hess in zip(groups, saved["hess"], strict=True):
                group["hess"] = hess.to(group["hess"].device)
        if allocator is not None and saved is not None:
            triplets = saved["recording"]["triplets"]
            kept = triplets["kept"].to(allocator.kept.device)
            allocator.restore(kept, decided=triplets["decided"])


class _Unwound(Exception):  # noqa: N818 - never seen outside
    """Leaves the drawn weights the way an error does: without collecting a gradient."""


def _checkpoint(args: Any, step: int) -> Path:
    return Path(args.output_dir) / f"checkpoint-{step}"


def _refuse_settings(args: Any) -> None:
    if args.fp16:
        raise ConfigError(
            "fp16 scales the loss and skips steps whose gradients overflow; IVON would take scaled "
            "gradients into its Hessian, and draw weights for steps that are never taken. Use bf16"
        )
    if getattr(args, "auto_find_batch_size", False):
        raise ConfigError(
            "auto_find_batch_size starts training over with a smaller batch, over a log that has "
            "begun; find the batch size first"
        )
    for name in ("deepspeed", "fsdp"):
        if getattr(args, name, None):
            raise ConfigError(
                f"{name} splits parameters over processes, and a triplet has to be whole to be "
                "scored; use plain data parallelism"
            )


def _refuse_schedule(recording: Recording, max_steps: int) -> None:
    schedule = recording.allocator.schedule if recording.allocator is not None else None
    if schedule is not None and schedule.final_step > max_steps:
        raise ConfigError(
            f"the last allocation would come at step {schedule.final_step} (AdaLoraConfig's "
            f"total_step {schedule.total_steps} - tfinal {schedule.tfinal}), but training ends at "
            f"step {max_steps}; set total_step={max_steps}"
        )


def _warn_never_pruned(model: Any, steps: int) -> None:
    configs = (getattr(model, "peft_config", None) or {}).values()
    if any(hasattr(config, "tinit") and not config.rank_pattern for config in configs):
        warnings.warn(
            f"AdaLoRA was trained for {steps} steps and nothing was ever pruned: with "
            "criterion=None nobody calls update_and_allocate under a Trainer; name a criterion, or "
            "add a callback that calls it",
            stacklevel=2,
        )
