"""The recording inside ``transformers.Trainer``: one callback drives IVON, allocates, records."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from vilora_analysis.posterior import sampled_parameters
from vilora_analysis.recording import Recording, instrument

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

__all__ = ["VILoRACallback"]


class VILoRACallback(TrainerCallback):
    """Instrument the optimizer of a ``Trainer``, and draw IVON's weights for each step.

    With gradient accumulation the weights are drawn once for all micro-batches of a step, and the
    gradient that IVON collects is the one after clipping.

    Parameters
    ----------
    out
        Run directory to be; None allocates without recording.
    **options
        Further arguments of :func:`vilora_analysis.instrument`.
    """

    def __init__(self, out: str | Path | None = None, **options: Any) -> None:
        self._out = out
        self._options = options
        self._sample = ExitStack()
        self._optimizer: Any = None
        self.recording: Recording | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Attach to model and optimizer, which exist from here on."""
        self._optimizer = kwargs["optimizer"]
        settings: Any = args
        options = {"config": {"trainer": settings.to_dict()}} | self._options
        self.recording = instrument(kwargs["model"], self._optimizer, self._out, **options)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Draw the weights of this step."""
        self._sample.enter_context(sampled_parameters(self._optimizer))

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Go back to the mean weights, with the gradient collected."""
        self._sample.close()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write what the Trainer logs: loss, evaluation metrics."""
        numbers = {
            name: value
            for name, value in (kwargs.get("logs") or {}).items()
            if isinstance(value, (int, float))
        }
        if self.recording is not None:
            self.recording.log(**numbers)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Finish the log."""
        if self.recording is not None:
            self.recording.close()
