"""Finding runs below a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vilora_analysis.errors import LogError, nearest
from vilora_analysis.log.manifest import FILE
from vilora_analysis.log.places import as_place, reached
from vilora_analysis.log.reader import Run
from vilora_analysis.log.state import ERROR_FILE

__all__ = ["find_runs", "run_directories"]


def run_directories(paths: Iterable[str | Path], *, failed: bool = False) -> list[Path]:
    """Directories that hold a run, at or anywhere below some paths.

    Parameters
    ----------
    paths
        Run directories, or folders with runs at any depth; or their URLs.
    failed
        Whether those count too that hold no run but the reason why there is none.

    Returns
    -------
    list of Path
        By paths as given, then in their own order, each once. Whether their runs can be read is
        not looked at.

    Raises
    ------
    LogError
        If there is no such directory.
    """
    names = (FILE, ERROR_FILE) if failed else (FILE,)
    found: dict[Path, Path] = {}
    for path in map(as_place, paths):
        with reached(path):
            if not path.is_dir():
                raise LogError(f"no directory {path}; {_beside(path)}give one that holds runs")
            for directory in [path] if (path / FILE).exists() else _below(path, names):
                found.setdefault(directory.resolve(), directory)
    return [*found.values()]


def find_runs(path: str | Path) -> list[Run]:
    """Runs at a directory or, at any depth, below it, in the order of their paths.

    Raises
    ------
    LogError
        If one of them cannot be read.
    """
    place = as_place(path)
    with reached(place):
        there = place.is_dir()
    return [Run(found) for found in run_directories([place])] if there else []


def _below(path: Path, names: Iterable[str]) -> list[Path]:
    return sorted({found.parent for name in names for found in path.rglob(name)})


def _beside(path: Path) -> str:
    """Suggest a neighbour of what is not there."""
    if not path.parent.is_dir():
        return ""
    return nearest(path.name, [item.name for item in path.parent.iterdir() if item.is_dir()])
