"""A frame as a table of a page: text in every cell, numbers that read and sort as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["MISSING", "Column", "Table", "cell", "key_values", "mapping_table", "table_of"]

MISSING = "–"
_UNSAID = {"1": "", "steps": "", "triplets": ""}
_MANY_COLUMNS, _FEW_ROWS = 8, 6


@dataclass(frozen=True)
class Column:
    """One column: its name, its unit (empty if none), whether it holds numbers, and long text."""

    name: str
    unit: str = ""
    numeric: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Table:
    """What a page shows of a frame.

    Attributes
    ----------
    title
        What it is called.
    columns, rows
        Every cell is text.
    total
        Rows of the frame.
    elsewhere
        File that has the rows that are not shown; empty if all are.
    anchors
        Of each row, where its first cell leads to; none if they lead nowhere.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[str]]
    total: int
    elsewhere: str = ""
    anchors: tuple[str, ...] = ()


def cell(value: Any) -> str:
    """Text of a value: four digits of a number, a true minus, a dash for what is missing.

    Examples
    --------
    >>> cell(0.123456), cell(-3), cell(1e-12), cell(float("nan")), cell(True), cell("snr")
    ('0.1235', '−3', '1e−12', '–', 'yes', 'snr')
    >>> cell([1, "a"]), cell({"a": None}), cell(None)
    ('1, a', '{"a": null}', '–')
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value)}".replace("-", "−")
    if isinstance(value, float | np.floating):
        return _number(float(value))
    if value is None or value is pd.NA or value is pd.NaT:
        return MISSING
    if isinstance(value, list | tuple | np.ndarray) and all(map(np.isscalar, value)):
        return ", ".join(map(cell, value)) if len(value) else MISSING
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _number(value: float) -> str:
    if np.isnan(value):
        return MISSING
    return f"{value:.4g}".replace("-", "−").replace("inf", "∞")


def table_of(
    title: str,
    frame: pd.DataFrame,
    *,
    most: int | None = None,
    file: str = "",
    turn: bool = True,
) -> Table:
    """Show a frame.

    Parameters
    ----------
    title
        What it is called.
    frame
        A row an observation; ``.attrs["units"]`` names units by column, if there.
    most
        A longer frame is not shown, all of it is in a file; no limit if None.
    file
        That file.
    turn
        Whether few rows of many columns may be shown as many rows of few.
    """
    units = frame.attrs.get("units", {})
    fits = most is None or len(frame) <= most
    shown = frame if fits else frame.head(0)
    texts = [[cell(value) for value in shown[name]] for name in shown]
    columns = tuple(
        Column(
            str(name),
            _UNSAID.get(unit := str(units.get(name) or ""), unit),
            pd.api.types.is_numeric_dtype(frame[name]),
            max(map(len, column), default=0) > 60,
        )
        for name, column in zip(frame, texts, strict=True)
    )
    rows = [*zip(*texts, strict=True)]
    if turn and fits and len(columns) > _MANY_COLUMNS and 0 < len(rows) <= _FEW_ROWS:
        return _on_its_side(title, columns, rows)
    return Table(title, columns, rows, len(frame), "" if fits else file)


def _on_its_side(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Table:
    """A row a column: few rows of many columns fit on no page otherwise."""
    texts = [*zip(*rows, strict=True)]
    named = [i for i, column in enumerate(columns) if not column.numeric]
    keys = [i for i in named if len(set(texts[i])) == len(rows)]
    heads = texts[keys[0]] if keys else tuple(f"row {i}" for i in range(1, len(rows) + 1))
    turned = [
        (f"{column.name} ({column.unit})" if column.unit else column.name, *values)
        for i, (column, values) in enumerate(zip(columns, texts, strict=True))
        if i not in keys[:1]
    ]
    corner = columns[keys[0]].name if keys else "column"
    shown = (Column(corner), *(Column(head, numeric=True) for head in heads))
    return Table(title, shown, turned, len(rows))


def mapping_table(title: str, values: Mapping[str, Any]) -> Table:
    """Names and values, nested ones as ``outer.inner``."""
    rows = [*key_values(values)]
    return Table(title, (Column("name"), Column("value")), rows, len(rows))


def key_values(values: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    """Pairs of text of a mapping, nested ones taken apart.

    Examples
    --------
    >>> [*key_values({"a": 1, "b": {"c": [1, 2]}, "d": [{"lr": 0.5}]})]
    [('a', '1'), ('b.c', '1, 2'), ('d.0.lr', '0.5')]
    """
    for name, value in values.items():
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            value = {str(at): item for at, item in enumerate(value)}
        if isinstance(value, Mapping) and value:
            yield from key_values(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", cell(value)
