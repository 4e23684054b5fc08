"""The paper's Table I from runs: a row for each system and task, with its spread and its test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import pandas as pd

from vilora_analysis.analysis.claims.statistics import holm
from vilora_analysis.analysis.table.beside import add_published, in_order
from vilora_analysis.analysis.table.comparing import (
    Comparison,
    Entry,
    System,
    average,
    baseline_of,
    compare,
    entry_of,
)
from vilora_analysis.analysis.table.order import (
    AVERAGES,
    MEAN,
    averages,
    order,
    read_baseline,
    tasks,
)
from vilora_analysis.analysis.table.systems import Cell, Row, find_cells
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run

__all__ = ["COLUMNS", "results_table"]

COLUMNS = (
    *("setup", "target_rank", "method", "optimizer", "criterion", "variant", "task", "average"),
    *("metric", "mean", "sd", "seeds", "params", "pairs", "difference", "low", "high", "interval"),
    *("p", "smallest_p", "p_holm", "detectable", "supported", "worse", "why", "published"),
)

NUMBERS = (
    *("mean", "sd", "difference", "low", "high", "p", "smallest_p", "p_holm", "detectable"),
    "published",
)
"""Columns of numbers that may be missing."""

Values = dict[Row, dict[str, Entry]]


def results_table(
    runs: Run | Iterable[Run] = (),
    *,
    baseline: str | None = None,
    alpha: float = 0.05,
    metric: Literal["final", "best"] = "final",
    published: bool = False,
) -> pd.DataFrame:
    """Table I from recorded runs.

    Parameters
    ----------
    runs
        Finished runs of any systems, tasks and seeds, best those of ``vilora sweep systems`` or
        ``table1``. May be empty if the published cells are asked for.
    baseline
        Method, optimizer and criterion that the others are held against, as in ``"lora, adamw,
        none"``; AdaLoRA with Adam and its sensitivity if None.
    alpha
        Two-sided level of the tests, after the correction.
    metric
        The task's first metric, of the ``final`` model, or of the ``best`` evaluation as in the
        paper.
    published
        Add the paper's cells, also those of systems and tasks without runs.

    Returns
    -------
    DataFrame
        One row a system and task, in the paper's order. ``setup`` and ``variant`` tell runs apart
        that differ in a setting which trains otherwise; ``target_rank``, missing for full
        fine-tuning; ``method``, ``optimizer`` (both Adams are ``adam``), ``criterion``; ``task``,
        or the name of an ``average``: ``group1``, ``group2`` and ``all`` as in the paper, ``mean``
        over the tasks in ``attrs["mean_of"]``; ``metric``; ``mean`` and ``sd`` (of the runs,
        n - 1) in percent over ``seeds`` runs; ``params``, trained parameters where the optimizer
        tells.

        ``difference`` of the mean from the baseline's, of ``pairs`` of equal seeds, in points, with
        an interval from ``low`` to ``high`` at 1 - alpha (``interval`` says if it is the exact
        ``sign-flip`` or, where too few pairs bound none, Student's ``t``); ``p`` of the exact
        sign-flip test, the ``smallest_p`` of so many pairs, ``p_holm`` after Holm's correction over
        all tests of the same setup and task; ``detectable``, the smallest difference that would
        have been found four times out of five before the correction; ``supported`` and ``worse``,
        whether it is better or worse than the baseline at alpha after it; ``why`` there is no
        difference.

        ``published``, the paper's value in percent. In ``attrs``: ``baseline``, ``alpha``,
        ``choice`` (of the metric), ``columns`` in their order, ``mean_of``, ``models``, ``notes``.

    Raises
    ------
    ConfigError
        If alpha is not between 0 and 1, the metric is unknown, or there is no such baseline.
    LogError
        If no finished run with a metric is among them.

    Notes
    -----
    Runs are compared only where they differ in nothing but what belongs to method, optimizer and
    criterion. An average over tasks takes the seeds that have them all.
    """
    _check(alpha, metric)
    cells, notes = find_cells([runs] if isinstance(runs, Run) else runs)
    values = _values(cells, metric, notes)
    if not values and not published:
        raise LogError(
            "no finished run with a metric of its task; `vilora sweep systems` makes some"
        )
    rows = sorted(values, key=order)
    system = read_baseline(baseline, rows)
    means = averages(values)
    for row in rows:
        values[row] |= {
            name: average([values[row][task] for task in members])
            for name, members in means.items()
            if all(task in values[row] for task in members)
        }
    records = [
        _record(row, task, entry, _compared(row, task, values, system, alpha))
        for row in rows
        for task, entry in values[row].items()
        if entry.values
    ]
    frame = pd.DataFrame(records, columns=[name for name in COLUMNS if name != "published"])
    frame = _corrected(frame, alpha)
    frame["average"] = frame["task"].isin([*AVERAGES])
    frame = frame.astype({"target_rank": "Int64", "params": "Int64", "seeds": int, "pairs": int})
    frame = add_published(frame, means.get(MEAN, ())) if published else frame
    frame = in_order(frame.reindex(columns=[*COLUMNS]).astype(dict.fromkeys(NUMBERS, float)))
    frame.attrs = {
        "baseline": ", ".join(system),
        "alpha": alpha,
        "choice": metric,
        "columns": [*tasks(frame.loc[~frame["average"], "task"]), *AVERAGES],
        "mean_of": [*means.get(MEAN, ())],
        "models": _models(cells),
        "notes": notes,
    }
    return frame


def _check(alpha: float, metric: str) -> None:
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha is a level between 0 and 1, got {alpha:g}; 5% is 0.05")
    if metric not in ("final", "best"):
        raise ConfigError(f"the metric is that of the final or the best model, got {metric}")


def _values(cells: Iterable[Cell], metric: Literal["final", "best"], notes: list[str]) -> Values:
    """Entries by row and task, of the runs that have the metric."""
    values: Values = {}
    without: list[str] = []
    for cell in cells:
        entry = entry_of(cell, metric)
        without += [t.run.name for seed, t in cell.trials.items() if seed not in entry.values]
        if cell.task in AVERAGES:
            notes.append(f"left out, its name is that of an average: task {cell.task}")
        elif entry.values:
            values.setdefault(cell.row, {})[cell.task] = entry
    if without:
        notes.append(f"left out, without a {metric} metric: {', '.join(without)}")
    return values


def _compared(row: Row, task: str, values: Values, system: System, alpha: float) -> Comparison:
    other, why = baseline_of(row, values, system)
    if other is None:
        return Comparison(why=why)
    if task not in values[other]:
        return Comparison(why="no baseline")
    return compare(values[row][task], values[other][task], alpha)


def _record(row: Row, task: str, entry: Entry, compared: Comparison) -> dict[str, Any]:
    numbers = np.array([*entry.values.values()])
    trials = [trial for group in entry.trials.values() for trial in group]
    outcome = compared.outcome
    tested = {} if outcome is None else asdict(outcome)
    return {
        **asdict(row),
        "task": task,
        "metric": trials[0].metric_name if task == trials[0].task else "",
        "mean": numbers.mean(),
        "sd": numbers.std(ddof=1) if len(numbers) > 1 else np.nan,
        "seeds": len(numbers),
        "params": _params(trials[0].run) if task == trials[0].task else None,
        "pairs": tested.get("pairs", 0),
        "difference": tested.get("effect", np.nan),
        **{name: tested.get(name, np.nan) for name in ("low", "high", "p", "smallest_p")},
        "interval": tested.get("interval", ""),
        "detectable": tested.get("detectable", np.nan),
        "why": compared.why,
    }


def _params(run: Run) -> int | None:
    """Parameters that the optimizer has, where it counts them."""
    counts = [group.get("numel") for group in run.manifest.optimizer.get("groups", [])]
    whole = [count for count in counts if isinstance(count, int)]
    return sum(whole) if whole and len(whole) == len(counts) else None


def _corrected(frame: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Holm's correction over the tests of a task in a setup, and what survives it."""
    frame["p_holm"] = frame.groupby(["setup", "task"], sort=False)["p"].transform(
        lambda p_values: pd.Series(holm(p_values.to_list()), index=p_values.index)
    )
    significant = frame["p_holm"] <= alpha
    return frame.assign(
        supported=significant & (frame["difference"] > 0),
        worse=significant & (frame["difference"] < 0),
    )


def _models(cells: Iterable[Cell]) -> list[str]:
    trials = (trial for cell in cells for trial in cell.trials.values())
    names: Mapping[str, None] = dict.fromkeys(
        str(trial.run.manifest.config.get("model", "not told")) for trial in trials
    )
    return [*names]
