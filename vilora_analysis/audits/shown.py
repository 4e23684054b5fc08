"""Which of many recorded scores, and of many steps, a figure has room for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from vilora_analysis import scores
from vilora_analysis.figures.style import printable
from vilora_analysis.log import Run

__all__ = ["labels", "of_shown", "shown", "thinned"]

_ROOM, _MOST_STEPS = 14, 200


def labels(run: Run) -> dict[str, str]:
    """Label of each recorded score, such that any can be drawn."""
    return {name: printable(label) for name, label in run.labels.items()}


def shown(run: Run, room: int = _ROOM) -> list[str]:
    """Scores to draw: all recorded ones if there is room, else those recorded by default.

    What is neither there nor known to the registry, somebody's own, stays as long as there is room.
    What lies between sensitivity and snr is of the bridge alone.
    """
    names = [name for name in run.score_names if name not in scores.family("bridge")]
    if len(names) <= room:
        return names
    default = [name for name in names if name in scores.family("default")]
    own = [name for name in names if name not in scores.names() and "@" not in name]
    criterion = [name for name in [run.manifest.criterion] if name in names]
    return list(dict.fromkeys([*default, *criterion, *own]))[:room]


def of_shown(run: Run, frame: pd.DataFrame, *columns: str, room: int = _ROOM) -> pd.DataFrame:
    """Rows of a frame whose columns name scores that are shown, or the set that was kept."""
    there = {*shown(run, room), "kept"}
    return frame[frame[list(columns)].isin(there).all(axis=1)]


def thinned(run: Run) -> list[int]:
    """Steps of a line: all, or two hundred of a long run, evenly, with both ends."""
    chosen = np.linspace(0, len(run.steps) - 1, min(len(run.steps), _MOST_STEPS)).round()
    return [int(step) for step in run.steps[chosen.astype(int)]]
