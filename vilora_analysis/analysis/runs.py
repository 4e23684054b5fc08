"""Many runs as one tidy table: what was set, how far each is, and what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.places import as_place
from vilora_analysis.log.state import RunState, run_state

__all__ = ["SETTINGS", "runs_table"]

SETTINGS = ("task", "method", "optimizer", "criterion", "seed")
"""Settings that are columns of the table even where they are the same in every run."""


def runs_table(runs: Iterable[str | Path]) -> pd.DataFrame:
    """Table of runs, one row each.

    Parameters
    ----------
    runs
        Run directories; those that failed before they began, and unreadable ones, get a row too.

    Returns
    -------
    DataFrame
        ``run``, ``state``, ``reason``, ``steps_done``; :data:`SETTINGS`, and the others that vary;
        every result; ``seconds`` between beginning and end, pauses included. What a run does not
        have is missing.
    """
    paths = [as_place(run) for run in runs]
    states = [run_state(path) for path in paths]
    manifests = [found.manifest for found in states]
    progress = pd.DataFrame(
        [_progress(path, found) for path, found in zip(paths, states, strict=True)],
        columns=["run", "state", "reason", "steps_done"],
    )
    config = pd.DataFrame([_config(manifest) for manifest in manifests], index=progress.index)
    results = pd.DataFrame([_results(manifest) for manifest in manifests], index=progress.index)
    seconds = pd.Series([_seconds(manifest) for manifest in manifests], dtype=float, name="seconds")
    columns = [*progress, *config]
    results = results.rename(
        columns={name: f"result_{name}" for name in results if name in columns}
    )
    chosen = config[[*_always(config), *_varied(config)]]
    return pd.concat([progress, chosen, results, seconds], axis="columns").convert_dtypes()


def _progress(path: Path, found: RunState) -> tuple[str, str, str, int]:
    return str(path), found.state, found.reason, found.steps


def _config(manifest: Manifest | None) -> Mapping[str, Any]:
    """Settings as given; of a run without a method among them, at least its criterion."""
    if manifest is None:
        return {}
    criterion = manifest.criterion or "none"
    return {"criterion": criterion, **{k: _scalar(v) for k, v in manifest.config.items()}}


def _results(manifest: Manifest | None) -> Mapping[str, Any]:
    results: Mapping[str, Any] = {} if manifest is None else manifest.results
    return {name: _scalar(value) for name, value in results.items()}


def _scalar(value: Any) -> Any:
    """What a cell of a table can hold."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _always(config: pd.DataFrame) -> list[str]:
    return [name for name in SETTINGS if name in config]


def _varied(config: pd.DataFrame) -> list[str]:
    """Other settings with more than one value; a missing one is none."""
    others = [str(name) for name in config if name not in SETTINGS]
    return [name for name in others if len(config[name].dropna().unique()) > 1]


def _seconds(manifest: Manifest | None) -> float:
    if manifest is None or not manifest.finished:
        return float("nan")
    try:
        began, ended = map(datetime.fromisoformat, (manifest.created, manifest.finished))
        return (ended - began).total_seconds()
    except (ValueError, TypeError):
        return float("nan")
