"""What a run was, in a line, in a row of a table, and in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from vilora_analysis.log import Run
from vilora_analysis.report.tables import MISSING, Table, cell, mapping_table, table_of

__all__ = ["configuration", "environment", "facts", "results", "runs_table", "shared"]

_NOT_RESULTS = {"budget_kept"}
_SETTINGS = ("task", "preset", "model", "method", "optimizer", "criterion", "seed")
_ALWAYS = ("task", "criterion", "seed")
_OWN = ("vilora-analysis", "numpy", "pandas", "pyarrow", "scipy", "matplotlib")


def results(run: Run) -> dict[str, Any]:
    """What the run gave, numbers first of all."""
    found = {k: v for k, v in run.manifest.results.items() if k not in _NOT_RESULTS}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def facts(run: Run) -> dict[str, str]:
    """Names and texts of what to know of a run before anything is read into it."""
    known = _settings(run)
    steps = run.steps
    said = {name: cell(known[name]) for name in _SETTINGS if known.get(name) is not None}
    recorded = f"{len(steps)} steps, {steps[0]} to {steps[-1]}" if len(steps) else "no step"
    said["recorded"] = recorded
    said["kept"] = _kept(run)
    said |= {name: cell(value) for name, value in results(run).items()}
    said["state"] = " ".join(filter(None, (run.manifest.status, run.manifest.finished[:10])))
    return said


def runs_table(runs: Sequence[Run], anchors: Sequence[str], posterior: Mapping[str, str]) -> Table:
    """A row a run: what was set, what came out, what its posterior is worth."""
    rows = [_row(run, posterior.get(run.name, "none")) for run in runs]
    frame = pd.DataFrame(rows)
    left_out = {name for name in shared(runs) if name in frame}
    there = [name for name in frame if name not in left_out and frame[name].notna().any()]
    whole = table_of("runs", frame[there], turn=False)
    return Table(whole.title, whole.columns, whole.rows, len(runs), anchors=tuple(anchors))


def _row(run: Run, level: str) -> dict[str, Any]:
    known = _settings(run)
    first = {name: known.get(name) for name in _ALWAYS}
    kept = {"posterior": level, "kept": _last_kept(run), "triplets": run.manifest.n_triplets}
    others = {name: known.get(name) for name in _SETTINGS if name not in _ALWAYS}
    numbers = dict(list(results(run).items())[:4])
    state = run.manifest.status
    return {"run": run.name, **first, **numbers, **kept, **others, "state": state}


def shared(runs: Sequence[Run]) -> dict[str, str]:
    """Settings that are the same in every run and stand in no column of :func:`runs_table`."""
    known = [_settings(run) for run in runs]
    names = [name for name in _SETTINGS if name not in _ALWAYS]
    told = {name: {cell(own.get(name)) for own in known} for name in names}
    return {
        name: texts.pop() for name, texts in told.items() if len(texts) == 1 and texts != {MISSING}
    }


def _settings(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    names = {"optimizer": manifest.optimizer.get("name")}
    return {**names, **manifest.config, "criterion": manifest.criterion or "none"}


def _last_kept(run: Run) -> int:
    events = run.events()
    return int(events["n_kept"].iloc[-1]) if len(events) else run.manifest.n_triplets


def _kept(run: Run) -> str:
    n = run.manifest.n_triplets
    decided = len(run.events())
    return f"{_last_kept(run)} of {n} triplets" if decided else f"all {n} triplets, nothing decided"


def configuration(run: Run) -> tuple[Table, ...]:
    """Everything that was set, and what was scored and adapted."""
    manifest = run.manifest
    scores = pd.DataFrame([vars(score) for score in manifest.scores])
    modules = pd.DataFrame([vars(module) for module in manifest.modules])
    settings = {
        "configuration": manifest.config,
        "optimizer": manifest.optimizer,
        "recorder": {"every": manifest.every, **manifest.recorder},
    }
    told = [mapping_table(name, values) for name, values in settings.items() if values]
    frames = {"scores": scores, "matrices": modules}
    return (*told, *(table_of(name, frame) for name, frame in frames.items() if len(frame)))


def environment(runs: Sequence[Run]) -> Table:
    """Versions with which the runs were recorded, in one column if all agree, and ours."""
    recorded = {run.name: run.manifest.versions for run in runs}
    alike = len({tuple(sorted(found.items())) for found in recorded.values()}) <= 1
    if alike and runs:
        label = "recorded with" if len(runs) == 1 else "all runs recorded with"
        recorded = {label: runs[0].manifest.versions}
    columns = {**recorded, "this report": _own()}
    names = dict.fromkeys(name for found in columns.values() for name in found)
    rows = [{"": name, **{at: own.get(name) for at, own in columns.items()}} for name in names]
    return table_of("versions", pd.DataFrame(rows))


def _own() -> dict[str, str]:
    import platform

    found = {"python": platform.python_version()}
    for name in _OWN:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
