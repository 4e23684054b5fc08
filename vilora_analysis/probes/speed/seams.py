"""Seams put into a step: a stopwatch is read where the model, PEFT and the optimizer hand over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from vilora_analysis.probes.speed.stopwatch import Stopwatch

__all__ = ["seams_of_model", "seams_of_optimizer"]


def seams_of_model(model: Any, watch: Stopwatch) -> None:
    """Read the watch where the task's loss is there, forward and backward, and after allocating.

    PEFT adds the penalty to the loss after the forward pass of the model it wraps, so its gradients
    are taken first, and the time until the task's own loss gets its gradient is the penalty's.

    Parameters
    ----------
    model
        ``PeftModel`` with an AdaLoRA adapter; two methods of what it wraps are replaced by ones
        that read the watch afterwards.
    watch
        Read at the seams.
    """
    adalora = model.base_model
    forward, allocate = adalora.model.forward, adalora.update_and_allocate

    def timed_forward(*args: Any, **kwargs: Any) -> Any:
        outputs = forward(*args, **kwargs)
        watch.lap("forward")
        if outputs.loss.requires_grad:
            outputs.loss.register_hook(lambda _gradient: watch.lap("penalty"))
        return outputs

    def timed_allocate(step: int) -> None:
        allocate(step)
        watch.lap("allocation")

    adalora.model.forward = timed_forward
    adalora.update_and_allocate = timed_allocate


@contextmanager
def seams_of_optimizer(optimizer: Optimizer, watch: Stopwatch, around: str) -> Iterator[None]:
    """Read the watch right before and right after the optimizer's own work.

    Hooks run in the order they came in, so what looks at the step from outside (a recording) has to
    be attached within the block: its hooks lie around the two of the watch, and what they take is
    said to go into the phase ``around``.
    """

    def lap(phase: str) -> Callable[..., None]:
        return lambda *_: watch.lap(phase)

    optimizer.register_step_post_hook(lap("update"))
    yield
    optimizer.register_step_pre_hook(lap(around))
