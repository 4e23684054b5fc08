"""Where a run stands, and how to go on from there."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import open_run
from vilora_analysis.log.manifest import FILE
from vilora_analysis.training import processes
from vilora_analysis.training.checkpoint import (
    load_checkpoint,
    restore_random_states,
    save_checkpoint,
    weights,
)

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from vilora_analysis.recording import Recording
    from vilora_analysis.training.best import Best
    from vilora_analysis.training.config import RunConfig

__all__ = ["Resumed", "find_state", "save_state"]

_FORMAT = 2
"""Of a checkpoint's contents; counted up when an older one could not be gone on with."""


@dataclass(frozen=True)
class Resumed:
    """What was found of a run.

    Attributes
    ----------
    path
        Its checkpoint file.
    finished
        Whether there is nothing left to do.
    recording
        State of the recording to go on from; None for a run that is not there yet.
    state
        The whole checkpoint; None to start from the beginning.
    """

    path: Path
    finished: bool = False
    recording: Mapping[str, Any] | None = None
    state: Mapping[str, Any] | None = None

    def restore(self, model: Any, optimizer: Optimizer, schedule: LRScheduler, best: Best) -> None:
        """Load weights and states, if there is a checkpoint."""
        if self.state is None:
            return
        model.load_state_dict(self.state["weights"], strict=False)
        optimizer.load_state_dict(self.state["optimizer"])
        schedule.load_state_dict(self.state["schedule"])
        best.load_state_dict(self.state["best"])

    def restore_random(self) -> None:
        """Continue the random numbers, once everything that draws while it is set up has drawn."""
        if self.state is None or restore_random_states(self.state["random"]):
            return
        before, now = len(self.state["random"]), processes.rank_and_count()[1]
        if processes.is_main():
            warnings.warn(
                f"{self.path} is of {before} processes, and this run has {now}: it goes on, but "
                "draws other numbers (dropout) than it would have",
                stacklevel=2,
            )

    def forget(self) -> None:
        """Delete the checkpoints of a run that is finished, and what a killed write left there."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


def find_state(config: RunConfig) -> Resumed:
    """Look for a run to go on with, if the settings ask for that.

    Raises
    ------
    ConfigError
        If the directory holds a run of other settings.
    LogError
        If the directory holds a run that is not to be resumed, or its manifest or its checkpoint is
        damaged.
    """
    directory = config.directory
    path = directory / "checkpoint" / "last.pt"
    if not (directory / FILE).exists():
        return Resumed(path)
    if not config.resume:  # said before anything heavy is loaded
        raise LogError(
            f"{directory} holds a run already; resume it (--resume), delete it, or choose another "
            "directory"
        )
    run = open_run(directory)
    _refuse_other_settings(directory, run.manifest.config, config.as_dict())
    if run.manifest.status == "finished":
        return Resumed(path, finished=True)
    state = load_checkpoint(path)
    if state is not None and state.get("format") != _FORMAT:
        raise LogError(
            f"{path} is of another version of this package; resume the run with that one, or "
            "delete the file to start over"
        )
    return Resumed(
        path, recording={"step": 0} if state is None else state["recording"], state=state
    )


def _refuse_other_settings(
    directory: Path, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    now = json.loads(json.dumps(now, default=str))
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        told = ", ".join(f"{n} was {before.get(n)!r}, is {now.get(n)!r}" for n in names[:3])
        raise ConfigError(
            f"{directory} holds a run of other settings ({told}); resume it with its own, or "
            "choose another directory"
        )


def save_state(
    config: RunConfig,
    model: Any,
    optimizer: Optimizer,
    schedule: LRScheduler,
    best: Best,
    recording: Recording,
    random: list[dict[str, Any]],
) -> None:
    """Write a checkpoint of everything that the rest of the run depends on.

    ``random`` is the state of the random numbers of each process.
    """
    contents = {
        "format": _FORMAT,
        "recording": recording.state_dict(),
        "weights": weights(model),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "best": best.state_dict(),
        "random": random,
    }
    save_checkpoint(config.directory / "checkpoint" / "last.pt", contents)
    best.tidy()
