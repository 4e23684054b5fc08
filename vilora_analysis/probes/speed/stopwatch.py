"""Where the time of a step goes: a clock that is read at the seams of the step."""

from __future__ import annotations

from collections.abc import Callable

import torch

__all__ = ["PHASES", "Stopwatch", "waiting_for"]

PHASES = ("forward", "backward", "penalty", "update", "allocation", "recording", "rest")
"""Parts of a step.

======== =======================================================================================
forward     The model and the loss of its task.
backward    The gradients of that loss.
penalty     The orthogonality penalty, forward and backward.
update      The optimizer: under IVON also drawing the weights and collecting the gradients.
allocation  Snapshot, smoothing, scores, threshold and mask.
recording   The hooks around the step, and the rows of the log.
rest        Learning rate, and gradients set to nothing.
======== =======================================================================================
"""


class Stopwatch:
    """Reads a clock at the start and the end of a step, and at its seams if asked to.

    Parameters
    ----------
    clock
        Gives seconds.
    wait
        Waits until the device has done what it was told.
    """

    def __init__(self, clock: Callable[[], float], wait: Callable[[], None]) -> None:
        self._clock, self._wait = clock, wait
        self.seams = False
        self.laps: dict[str, float] = {}
        self._began = self._last = 0.0

    def start(self, *, seams: bool) -> None:
        """Begin a step; with seams, each :meth:`lap` is taken."""
        self.seams, self.laps = seams, dict.fromkeys(PHASES, 0.0)
        self._began = self._last = self._now()

    def lap(self, phase: str) -> None:
        """Say what the time since the last reading went into."""
        if self.seams:
            now = self._now()
            self.laps[phase] += now - self._last
            self._last = now

    def stop(self) -> float:
        """Seconds since the start; with seams, up to the last of them."""
        now = self._last if self.seams else self._now()
        self.seams = False
        return now - self._began

    def _now(self) -> float:
        self._wait()
        return self._clock()


def waiting_for(device: torch.device) -> Callable[[], None]:
    """What waits for a device: nothing for the CPU, which is done when it returns."""
    if device.type == "cpu":
        return lambda: None
    return lambda: torch.accelerator.synchronize(device)
