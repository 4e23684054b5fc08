"""What a reader must know beside the table."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from vilora_analysis.analysis.table.order import MEAN
from vilora_analysis.analysis.table.words import plain, system_label, table_verdict, task_label

__all__ = ["table_notes"]


def table_notes(frame: pd.DataFrame) -> list[str]:
    """Lines below the table: how to read it, its verdict, and what is not in it.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.results_table` gives it.
    """
    ours = frame["seeds"].gt(0).any()
    lines = [*(_reading(frame) if ours else ()), *_paper(frame), *_averages(frame)]
    return [*lines, *(_missing(frame) if ours else ()), *map(plain, frame.attrs["notes"])]


def _reading(frame: pd.DataFrame) -> Iterator[str]:
    alpha = frame.attrs["alpha"]
    yield "Cells: mean ± standard deviation over seeds (how many seeds); –: no run, or not told."
    if frame["pairs"].gt(0).any():
        yield (
            f"Differences: of equal seeds, with an interval at {100 * (1 - alpha):g}%, exact in "
            "[ ], Student's in ( ) where too few pairs bound none; p of the exact sign-flip test → "
            "after Holm's correction over all tests of the column in its setup."
        )
        yield (
            f"Bold (* in plain text): better than the baseline at {alpha:g} after the correction; "
            "↓ worse."
        )
    yield table_verdict(frame)


def _paper(frame: pd.DataFrame) -> Iterator[str]:
    if frame["published"].isna().all():
        return
    yield (
        "Paper: Chen & Garner, Table I, of DeBERTaV3-base, the best evaluation of each of five "
        "runs, averaged; it prints no spread."
    )
    if models := frame.attrs["models"]:
        choice = {"final": "the metric of the final model", "best": "that of the best evaluation"}
        yield f"Runs: model {plain(', '.join(models))}; {choice[frame.attrs['choice']]}."
    if (frame["metric"] == "pearson").any():
        yield "Of STS-B the paper prints a Corr that it does not name; here it is Pearson's."


def _averages(frame: pd.DataFrame) -> Iterator[str]:
    if frame.attrs["mean_of"] and (frame["task"] == MEAN).any():
        names = ", ".join(task_label(task)[0] for task in frame.attrs["mean_of"])
        count = len(frame.attrs["mean_of"])
        yield f"{count} tasks: mean over {names}, of the seeds that have all of them."


def _missing(frame: pd.DataFrame) -> Iterator[str]:
    """Systems that were held against nothing, and why."""
    untested = frame[(frame["why"] != "") & ~frame["average"]]
    for why, rows in untested.groupby("why", sort=False):
        names: dict[str, list[str]] = {}
        for _, row in rows.iterrows():
            system = system_label(row["method"], row["optimizer"], row["criterion"])
            names.setdefault(" ".join(system), []).append(task_label(row["task"])[0])
        told = "; ".join(
            f"{name} ({', '.join(dict.fromkeys(tasks))})" for name, tasks in names.items()
        )
        yield f"Not compared, {plain(why)}: {told}"
