"""Finding runs below a folder."""

from __future__ import annotations

from pathlib import Path

from vilora_analysis.log.manifest import FILE
from vilora_analysis.log.reader import Run

__all__ = ["find_runs"]


def find_runs(path: str | Path) -> list[Run]:
    """Runs at a directory or, at any depth, below it, in the order of their paths.

    Raises
    ------
    LogError
        If one of them cannot be read.
    """
    path = Path(path)
    if (path / FILE).exists():
        return [Run(path)]
    return [Run(found.parent) for found in sorted(path.rglob(FILE))]
