"""``vilora table``: the paper's Table I from runs, in the terminal or for a paper."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from vilora_analysis import analysis
from vilora_analysis.analysis.table import Layout, Shown
from vilora_analysis.audits import csv_text
from vilora_analysis.cli import commands
from vilora_analysis.cli.table_markup import latex, markdown
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, references
from vilora_analysis.log.parts import replace_file
from vilora_analysis.provenance import comment, footer, recorded

__all__ = ["render", "table"]

_WIDE = 10_000
_SUFFIXES: Mapping[str, commands.TableFormat] = {
    ".md": "markdown",
    ".tex": "latex",
    ".csv": "csv",
}


def table(command: commands.Table, console: Terminal, runs: Sequence[Run]) -> int:
    """Show the table, or write it where asked to."""
    frame = analysis.results_table(
        runs,
        baseline=command.baseline,
        alpha=command.alpha,
        metric=command.metric,
        published=command.published,
    )
    form = command.format or _format_of(command.out)
    text = render(frame, form)
    if command.out is None:
        for line in text.splitlines():
            console.line(line)
        return 0
    try:
        command.out.parent.mkdir(parents=True, exist_ok=True)
        with recorded(references(runs)):
            replace_file(command.out, text + _origin(form))
    except OSError as error:
        raise LogError(f"cannot write {command.out}: {error.strerror or error}") from None
    console.line(analysis.table_verdict(frame))
    console.line(f"table in {command.out}")
    return 0


def _origin(form: commands.TableFormat) -> str:
    """Where the file came from, as its format can carry it; a CSV cannot."""
    carried = {"text": f"\n{comment()}\n", "markdown": footer(), "latex": f"% {comment()}\n"}
    return carried.get(form, "")


def _format_of(out: Path | None) -> commands.TableFormat:
    """Format by the name of the file; text for any other, and for the terminal."""
    return "text" if out is None else _SUFFIXES.get(out.suffix.lower(), "text")


def render(frame: pd.DataFrame, form: commands.TableFormat) -> str:
    """The table as text of some format, as :func:`vilora_analysis.analysis.results_table` has it.

    CSV is the tidy frame, a row for each system and task; the others are rectangular.
    """
    if form == "csv":
        return csv_text(frame)
    differences = analysis.difference_layout(frame)
    layouts = [analysis.table_layout(frame), *([] if differences is None else [differences])]
    forms: Mapping[str, Callable[[Sequence[Layout], Sequence[str]], str]] = {
        "text": _text,
        "markdown": markdown,
        "latex": latex,
    }
    return forms[form](layouts, analysis.table_notes(frame))


def _text(layouts: Sequence[Layout], notes: Sequence[str]) -> str:
    blocks = ["\n".join(_text_table(layout)) for layout in layouts]
    return "\n\n".join([*blocks, "\n".join(notes)]) + "\n"


def _text_table(layout: Layout) -> list[str]:
    """Lines as wide as they need to be; a title above each section."""
    grid = Table(box=None, pad_edge=False)
    for head in layout.heads:
        grid.add_column(f"{head}\n", no_wrap=True)
    for name, metric in layout.columns:
        grid.add_column(f"{name}\n{metric}", justify="right", no_wrap=True)
    for section in layout.sections:
        for line in section.lines:
            grid.add_row(*line.labels, *map(_starred, line.cells))
    page = Console(file=io.StringIO(), width=_WIDE, markup=False, emoji=False, highlight=False)
    with page.capture() as taken:
        page.print(grid)
    lines = [line.rstrip() for line in taken.get().splitlines()]
    shown, rest = [layout.title, *lines[:2]], lines[2:]
    for section in layout.sections:
        count = len(section.lines)
        shown, rest = [*shown, section.title, *(f"  {row}" for row in rest[:count])], rest[count:]
    return [shown[0], *(f"  {head}" for head in shown[1:3]), *shown[3:]]


def _starred(cell: Shown) -> str:
    return f"{cell.text} *" if cell.bold else cell.text
