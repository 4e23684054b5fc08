"""From the tidy frame to what is printed: rectangular tables of cells, in any markup."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from vilora_analysis.analysis.table.order import MEAN
from vilora_analysis.analysis.table.words import plain, system_label, task_label

__all__ = ["MISSING", "Layout", "Line", "Section", "Shown", "difference_layout", "table_layout"]

MISSING = "–"
"""What stands where there is nothing: never 0."""


@dataclass(frozen=True)
class Shown:
    """Text of a cell, and whether it is set in bold."""

    text: str = MISSING
    bold: bool = False


@dataclass(frozen=True)
class Line:
    """Labels of a row, and its cells, one a column."""

    labels: tuple[str, ...]
    cells: tuple[Shown, ...]


Lines = Callable[[pd.DataFrame], Iterable[Line]]


@dataclass(frozen=True)
class Section:
    """Rows of one target rank and setup."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Layout:
    """A table to print.

    Attributes
    ----------
    title
        What it shows.
    heads
        Names of the labels.
    columns
        Name and metric of each column of cells.
    sections
        The rows; each has as many labels as ``heads`` and as many cells as ``columns``.
    """

    title: str
    heads: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def table_layout(frame: pd.DataFrame) -> Layout:
    """The table itself: mean, spread and number of seeds, and the paper's cell below.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.results_table` gives it.
    """
    beside = bool(frame["published"].notna().any())
    params = bool(frame["params"].notna().any())
    heads = ["Method", "Optimizer", "Criterion", *["# params"] * params, *["From"] * beside]
    tasks = _tasks(frame)

    def lines(rows: pd.DataFrame) -> Iterator[Line]:
        labels = (*_labels(rows.iloc[0]), *[_params(rows["params"])] * params)
        by_task = {row["task"]: row for _, row in rows.iterrows()}
        ours = rows["seeds"].gt(0).any()
        if ours:
            cells = tuple(_value(by_task.get(task)) for task in tasks)
            yield Line((*labels, *["runs"] * beside), cells)
        if rows["published"].notna().any():
            cells = tuple(_published(by_task.get(task)) for task in tasks)
            blank = ("",) * len(labels)
            yield Line((*(blank if ours else labels), "paper"), cells)

    title = f"Table I: {frame.attrs['choice']} metric in percent"
    return _layout(frame, title, heads, tasks, lines)


def difference_layout(frame: pd.DataFrame) -> Layout | None:
    """Differences from the baseline with interval and p; None where nothing could be compared.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.results_table` gives it.
    """
    tested = frame[frame["pairs"] > 0]
    if tested.empty:
        return None
    tasks = _tasks(tested)

    def lines(rows: pd.DataFrame) -> Iterator[Line]:
        by_task = {row["task"]: row for _, row in rows.iterrows()}
        yield Line(_labels(rows.iloc[0]), tuple(_difference(by_task.get(task)) for task in tasks))

    baseline = ", ".join(system_label(*frame.attrs["baseline"].split(", ", 2)))
    heads = ["Method", "Optimizer", "Criterion"]
    return _layout(tested, f"Differences from {baseline}, in points", heads, tasks, lines)


def _layout(
    frame: pd.DataFrame, title: str, heads: Sequence[str], tasks: Sequence[str], lines: Lines
) -> Layout:
    names = ["setup", "target_rank", "method", "optimizer", "criterion", "variant"]
    rows = [part for _, part in frame.groupby(names, sort=False, dropna=False)]
    sections = tuple(
        Section(name, tuple(line for part in parts for line in lines(part)))
        for name, parts in groupby(rows, key=_section)
    )
    few = len(frame.attrs["mean_of"])
    columns = [
        (f"{few} tasks", "mean")
        if task == MEAN
        else task_label(task, frame.loc[frame["task"] == task, "metric"])
        for task in tasks
    ]
    return Layout(title, tuple(heads), tuple(columns), sections)


def _tasks(frame: pd.DataFrame) -> list[str]:
    """Columns that have anything, in the frame's order: tasks, then averages."""
    places = frame[["task", "average"]].drop_duplicates()
    order = {task: at for at, task in enumerate(frame.attrs["columns"])}
    return sorted(places["task"], key=order.__getitem__)


def _section(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    adapted = "all weights" if first["method"] == "full_ft" else "rank not told"
    rank = adapted if pd.isna(first["target_rank"]) else f"target rank {first['target_rank']}"
    return plain(", ".join(filter(None, [rank, first["setup"]])))


def _labels(row: pd.Series) -> tuple[str, ...]:
    method, optimizer, criterion = system_label(row["method"], row["optimizer"], row["criterion"])
    variant = f" ({plain(row['variant'])})" if row["variant"] else ""
    return method, optimizer, criterion + variant


def _params(counts: pd.Series) -> str:
    """Number of parameters in thousands; it differs by the outputs of a task.

    Examples
    --------
    >>> _params(pd.Series([254047, None, 254432])), _params(pd.Series([None]))
    ('254k', '–')
    """
    known = counts.dropna()
    if known.empty:
        return MISSING
    ends = dict.fromkeys(f"{count / 1000:,.0f}k" for count in (known.min(), known.max()))
    return " to ".join(ends)


def _value(row: pd.Series | None) -> Shown:
    if row is None or not row["seeds"]:
        return Shown()
    spread = f" ± {row['sd']:.2f}" if row["sd"] == row["sd"] else ""
    mark = " ↓" if row["worse"] else ""
    return Shown(f"{_number(row['mean'])}{spread} ({row['seeds']}){mark}", bool(row["supported"]))


def _published(row: pd.Series | None) -> Shown:
    return Shown() if row is None or pd.isna(row["published"]) else Shown(f"{row['published']:.2f}")


def _difference(row: pd.Series | None) -> Shown:
    if row is None:
        return Shown()
    ends = f"{_number(row['low'], '+')}, {_number(row['high'], '+')}"
    exact = row["interval"] == "sign-flip"
    interval = "" if pd.isna(row["low"]) else f" [{ends}]" if exact else f" ({ends})"
    p = f"p {row['p']:.2g} → {row['p_holm']:.2g}"
    return Shown(f"{_number(row['difference'], '+')}{interval}, {p}", bool(row["supported"]))


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign}.2f}".replace("-", "−")
