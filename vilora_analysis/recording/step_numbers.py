"""One step's numbers for the log, computed where nobody waits for them: in the writer's thread.

What they are computed from is copied in the training thread, into memory that is not written over
before they are there. On an accelerator the training thread only enqueues, and never waits for it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

from vilora_analysis.errors import LogError
from vilora_analysis.recording.columns import triplet_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from vilora_analysis.posterior import Clipping, Snapshot

__all__ = ["KeptLater", "StepNumbers"]


class StepNumbers:
    """Every float column of one step, once somebody asks for it.

    Parameters
    ----------
    snapshot
        The posterior; its memory must stay as it is until :attr:`done`.
    inputs, names
        Inputs and scores with columns of their own, in the schema's order.
    clipping
        What is to be settled at the same time, if anything.

    Attributes
    ----------
    done
        Whether the snapshot's memory is free again.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        inputs: Sequence[str],
        names: Sequence[str],
        clipping: Clipping | None = None,
    ) -> None:
        self._snapshot: Snapshot | None = snapshot
        self._inputs, self._names, self._clipping = inputs, names, clipping
        self._stream = _current_stream(snapshot.inputs["mu"])
        self.done = False

    def resolve(self) -> np.ndarray:
        """Compute them, of shape (columns, triplets).

        Raises
        ------
        ScoreError
            If a value is not finite; the message names score, module, k and the input.
        LogError
            If they were given up.
        """
        snapshot = self._snapshot
        try:
            if snapshot is None:
                raise LogError("the numbers of a step were given up before they were computed")
            with _on(self._stream):
                if self._clipping is not None:
                    self._clipping.settle()
                return triplet_values(snapshot, self._inputs, self._names)
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Let go of the snapshot: it was read, or never will be."""
        self._snapshot = self._clipping = None
        self.done = True


class KeptLater:
    """What a decision kept, brought from the device once somebody asks.

    Parameters
    ----------
    kept
        Boolean by triplet; each decision makes a new one.
    """

    def __init__(self, kept: Tensor) -> None:
        self._kept = kept
        self._stream = _current_stream(kept)

    def resolve(self) -> np.ndarray:
        """Bring it."""
        with _on(self._stream):
            kept: np.ndarray = self._kept.cpu().numpy()
        return kept


def _current_stream(tensor: Tensor) -> torch.cuda.Stream | None:
    """Stream of the accelerator in which a tensor is being written, which is a thread's own."""
    return torch.cuda.current_stream(tensor.device) if tensor.device.type == "cuda" else None


def _on(stream: torch.cuda.Stream | None) -> AbstractContextManager[object]:
    return nullcontext() if stream is None else torch.cuda.stream(stream)
