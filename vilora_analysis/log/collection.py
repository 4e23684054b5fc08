"""Several runs as one thing: found below a folder, picked by name or by their settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from vilora_analysis.errors import LogError, nearest
from vilora_analysis.log.find import run_directories
from vilora_analysis.log.provided import Audits
from vilora_analysis.log.reader import Run
from vilora_analysis.log.state import run_state
from vilora_analysis.log.table import runs_html

__all__ = ["Runs", "open_runs"]


class Runs(Sequence[Run]):
    """Runs in an order, each by its name too.

    Parameters
    ----------
    runs
        By name.
    broken
        Why there is nothing to read, by the name of what cannot be read. It is shown beside the
        runs, and is not one of them.

    Attributes
    ----------
    audits
        Questions to all of them together, by name: ``runs.audits.stability()``.

    Examples
    --------
    >>> len(Runs({})), Runs({}).names
    (0, ())
    """

    def __init__(self, runs: Mapping[str, Run], broken: Mapping[str, str] | None = None) -> None:
        self._runs = dict(runs)
        self.broken = dict(broken or {})
        self.audits = Audits(self)

    @property
    def names(self) -> tuple[str, ...]:
        """Names: of the directories, with as much of their paths as tells them apart."""
        return tuple(self._runs)

    def where(self, **settings: Any) -> Runs:
        """Choose runs by their settings.

        Parameters
        ----------
        **settings
            Names of settings, as in ``run.manifest.config``, and ``criterion``, each with its
            value or a list of values.

        Raises
        ------
        LogError
            If no run has such a setting, or none of the runs that value of it.

        Examples
        --------
        ``open_runs("runs").where(task="sst2", seed=[0, 1])``
        """
        known = {name: _settings(run) for name, run in self._runs.items()}
        for setting, value in settings.items():
            wanted = _values(value)
            _refuse_unknown(setting, wanted, [*known.values()])
            known = {k: own for k, own in known.items() if own.get(setting, _ABSENT) in wanted}
        return Runs({name: self._runs[name] for name in known})

    @overload
    def __getitem__(self, at: int | str) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> Runs: ...
    def __getitem__(self, at: int | str | slice) -> Run | Runs:
        if isinstance(at, slice):
            return Runs({name: self._runs[name] for name in self.names[at]})
        return self._named(at) if isinstance(at, str) else [*self._runs.values()][at]

    def _named(self, name: str) -> Run:
        if name in self._runs:
            return self._runs[name]
        if name in self.broken:
            raise LogError(f"{name} cannot be read: {self.broken[name]}")
        raise LogError(f"no run named {name!r}; {nearest(name, self.names)}{_there(self.names)}")

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        beside = f", {len(self.broken)} broken" if self.broken else ""
        return f"Runs({len(self)}{beside}: {_few([*self.names, *self.broken])})"

    def _repr_html_(self) -> str:
        return runs_html(self._runs, self.broken)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self.names]


def open_runs(*paths: str | Path) -> Runs:
    """Open every run at or, at any depth, below some paths.

    Parameters
    ----------
    *paths
        Run directories, or folders that hold some; or their URLs: ``s3://bucket/runs``.

    Returns
    -------
    Runs
        A sequence, with access by name. What failed before it began, or cannot be read, is in
        its ``broken`` and hides none of the others.

    Raises
    ------
    LogError
        If there is no such directory, or no run in any.
    """
    directories = run_directories(paths, failed=True)
    if not directories:
        raise LogError(f"no runs in {', '.join(map(str, paths)) or 'no directory'}")
    runs: dict[str, Run] = {}
    broken: dict[str, str] = {}
    for name, directory in zip(_names(directories), directories, strict=True):
        try:
            runs[name] = Run(directory)
        except LogError as error:
            broken[name] = run_state(directory).reason or str(error)
    return Runs(runs, broken)


_ABSENT = object()


def _settings(run: Run) -> dict[str, Any]:
    return {"criterion": run.manifest.criterion or "none", **run.manifest.config}


def _values(value: Any) -> list[Any]:
    one = isinstance(value, str) or not isinstance(value, Collection)
    return [value] if one else [*value]


def _refuse_unknown(setting: str, wanted: list[Any], known: Sequence[Mapping[str, Any]]) -> None:
    """What no run has is a mistake of spelling more often than a question."""
    names = dict.fromkeys(name for own in known for name in own)
    if known and setting not in names:
        raise LogError(
            f"no run has a setting {setting!r}; {nearest(setting, names)}{_there(names)}"
        )
    there = dict.fromkeys(str(own[setting]) for own in known if setting in own)
    if there and not any(own.get(setting, _ABSENT) in wanted for own in known):
        hint = "".join(nearest(str(value), there) for value in wanted[:1])
        said = " or ".join(map(repr, wanted))
        raise LogError(f"no run has {setting} {said}; {hint}{_there(there)}")


def _there(names: Iterable[str]) -> str:
    return f"there is: {_few(names) or 'nothing'}"


def _few(names: Iterable[str], most: int = 12) -> str:
    names = [*names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _names(directories: Sequence[Path]) -> list[str]:
    """The last part of each path, and as many before it as it takes to tell them apart."""
    names = [path.resolve().parts for path in directories]
    length = [1] * len(names)
    for taken in range(1, max(map(len, names))):
        count = Counter(parts[-n:] for parts, n in zip(names, length, strict=True))
        for at, parts in enumerate(names):
            if count[parts[-length[at] :]] > 1:
                length[at] = taken + 1
    return ["/".join(parts[-n:]) for parts, n in zip(names, length, strict=True)]
