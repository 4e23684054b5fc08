"""A recording from its first step to its end: hooks, metrics, state to resume from, closing."""

from __future__ import annotations

import atexit
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.errors import (
    ConfigError,
    DecisionError,
    LayoutError,
    LogError,
    ScoreError,
)
from vilora_analysis.posterior import has_posterior, read_gradient

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from vilora_analysis.allocation import Allocator
    from vilora_analysis.log import LogWriter
    from vilora_analysis.log.manifest import Status
    from vilora_analysis.recording.triplet_steps import TripletSteps

__all__ = ["Recording", "resumed_step"]


def resumed_step(state: Mapping[str, Any]) -> int:
    """Step that a state to resume from was taken at.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        return int(state["step"])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"resume takes what Recording.state_dict() gave for the same kind of run: {error!r}"
        ) from None


class Recording:
    """An instrumented optimizer, until closed; made by :func:`vilora_analysis.instrument`.

    Attributes
    ----------
    step
        Optimizer steps taken so far.
    results
        Final metrics, written into the manifest on closing; add to it freely.
    """

    def __init__(
        self, optimizer: Optimizer, triplets: TripletSteps | None, writer: LogWriter | None
    ) -> None:
        self.step = 0
        self.results: dict[str, Any] = {}
        self._optimizer: Any = optimizer
        self._triplets = triplets
        self._writer = writer
        self._clock = time.perf_counter()
        self._closed = self._detached = False
        self._gather_on_device()
        # of a script that ends without closing, what was recorded is kept all the same
        atexit.register(self._keep)
        self._hooks = (
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        )

    @property
    def allocator(self) -> Allocator | None:
        """What prunes, if anything does."""
        return self._triplets.allocator if self._triplets is not None else None

    @property
    def path(self) -> Path | None:
        """Run directory, if there is one."""
        return self._writer.directory if self._writer else None

    @property
    def n_kept(self) -> int:
        """Triplets kept by the latest decision; 0 where no adapter is recorded."""
        return 0 if self._triplets is None else int(self._triplets.kept.sum())

    @property
    def was_pruned(self) -> bool:
        """Whether any decision was taken, ours or one of PEFT's own allocator."""
        return self._triplets is not None and self._triplets.was_pruned

    @property
    def closed(self) -> bool:
        """Whether the log is finished."""
        return self._closed

    def log(self, **metrics: float) -> None:
        """Write metrics of the current step: loss, accuracy, whatever the loop knows.

        Raises
        ------
        LogError
            If the recording is closed.
        """
        if self._closed:
            raise LogError("the recording is closed; log before the end of its block")
        if self._writer is not None:
            self._writer.metrics(self.step, metrics)

    def state_dict(self) -> dict[str, Any]:
        """State to save with a checkpoint, tensors and plain values; what was recorded is on disk.

        Give it to ``instrument(..., resume=state)``, and the log goes on after this step without a
        gap or a duplicate. It holds IVON's step count, which IVON's own ``state_dict`` leaves out.
        """
        self._keep()  # on disk, or a gap
        return {
            "step": self.step,
            "current_step": getattr(self._optimizer, "current_step", None),
            "results": dict(self.results),
            "triplets": None if self._triplets is None else self._triplets.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave, the optimizer's own being loaded already.

        Raises
        ------
        ConfigError
            If it is none, or one of another kind of recording.
        """
        self.step = resumed_step(state)
        if not self.step:
            return
        try:
            self.results.update(state["results"])
            if state["current_step"] is not None:
                self._optimizer.current_step = state["current_step"]
            if self._triplets is not None:
                self._triplets.load_state_dict(state["triplets"])
        except (KeyError, TypeError) as error:
            raise ConfigError(
                f"resume takes what Recording.state_dict() gave for the same kind of run: {error!r}"
            ) from None
        self._gather_on_device()

    def _gather_on_device(self) -> None:
        """Bring IVON's state to its parameters: a model moved, or a state loaded, leaves it behind.

        Raises
        ------
        LayoutError
            If the posterior would be kept in half precision.
        """
        if not has_posterior(self._optimizer):
            return
        for group in self._optimizer.param_groups:
            parameter = group["params"][0]
            if parameter.dtype == torch.float16:
                raise LayoutError(
                    "the trained parameters are in float16, which has not the range that sigma and "
                    "IVON's steps need; load the model with .float(), and use bf16 autocast"
                )
            for name in ("hess", "momentum"):
                if name in group:
                    group[name] = group[name].to(parameter.device)
            if hasattr(self._optimizer, "_device"):
                self._optimizer._device = parameter.device

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close(failed=kind is not None)
        except LogError as unwritten:
            if error is None or isinstance(error, LogError):
                raise
            error.add_note(f"The log could not be finished: {unwritten}")  # not in its place

    def detach(self) -> None:
        """Stop recording and pruning; PEFT's configuration says from here on what was kept.

        For what is to be saved before the run counts as finished; closing does it as well.
        """
        if self._detached:
            return
        self._detached = True
        for hook in self._hooks:
            hook.remove()
        if self._triplets is not None:
            self._triplets.detach()

    def close(self, *, failed: bool = False) -> None:
        """Detach from the optimizer and finish the log; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._keep)
        status: Status = "failed"
        try:
            if self._triplets is not None and not failed:
                self._write_pending()
                self._warn_if_unfinished()
            status = "failed" if failed else "finished"
        finally:
            self.detach()
            if self._writer is not None:
                self._writer.close(status, self.results)

    def _keep(self) -> None:
        self._write_pending()
        if self._writer is not None:
            self._writer.flush()

    def _write_pending(self) -> None:
        if self._triplets is not None:
            with self._skipping():
                self._triplets.write_pending()

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        """Leave a step out of the log whose numbers are not finite, if training is to go on.

        What a decision rests on stops it all the same.
        """
        try:
            yield
        except DecisionError:
            raise
        except ScoreError as error:
            if self._writer is None or not self._writer.warns:
                raise
            self._writer.skip(self.step, error)

    def _warn_if_unfinished(self) -> None:
        schedule = self.allocator.schedule if self.allocator else None
        final = schedule.final_step if schedule else 0
        if self.step < final:
            warnings.warn(
                f"the run ended after step {self.step}, before the last allocation at step "
                f"{final}: {self.n_kept} triplets are kept, the budget was not reached",
                stacklevel=4,
            )

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        with_closure = any(value is not None for value in (*args[1:], *kwargs.values()))
        if has_posterior(optimizer) and not with_closure and read_gradient(optimizer) is None:
            raise LayoutError(
                "IVON has collected no gradient for this step; draw the weights with "
                "`with va.sampled_parameters(optimizer):` around forward and backward"
            )
        self._write_pending()
        if self._triplets is not None:
            self._triplets.before(optimizer, self.step)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self.step += 1
        if self._writer is not None:
            self._write_clock()
        if self._triplets is not None:
            with self._skipping():
                self._triplets.after(self.step)
        if self._writer is not None:
            self._writer.flush_if_due()

    def _write_clock(self) -> None:
        now = time.perf_counter()
        values = {"lr": float(self._optimizer.param_groups[0]["lr"]), "seconds": now - self._clock}
        self._clock = now
        if self._writer is not None:
            self._writer.metrics(self.step, values)
