"""Answers as files: tables for programs and people, figures, and a page of verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from vilora_analysis import figures
from vilora_analysis.analysis.table.words import plain
from vilora_analysis.audits.definition import Answer
from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import replace_file
from vilora_analysis.provenance import footer, with_provenance

if TYPE_CHECKING:
    from vilora_analysis.audits.execute import Result

__all__ = ["csv_text", "write_answer", "write_page", "write_table"]


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as CSV in which no name is taken for a formula; numbers are numbers.

    Source: OWASP, CSV injection: an apostrophe before ``=``, ``+``, ``-`` or ``@``.
    """
    inert = frame.copy()
    for name in inert.select_dtypes(exclude=["number", "bool"]):
        inert[name] = inert[name].map(_inert)
    return str(inert.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def _inert(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def write_table(frame: pd.DataFrame, path: Path) -> list[Path]:
    """Write a frame as Parquet and CSV under a name without suffix, and give the files.

    The Parquet file carries its provenance; CSV cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_name(f"{path.name}.{suffix}") for suffix in ("parquet", "csv")]
    schema = with_provenance(pa.Schema.from_pandas(frame, preserve_index=False))
    frame.to_parquet(written[0], index=False, schema=schema)
    replace_file(written[1], csv_text(frame))
    return written


def write_answer(answer: Answer, out: Path) -> list[Path]:
    """Write the tables, then draw and write the figures.

    Raises
    ------
    LogError
        If the folder cannot be written.
    """
    files: list[Path] = []
    try:
        for name, frame in answer.tables.items():
            files += write_table(frame, out / name)
        for name, draw in answer.figures.items():
            files += figures.save(draw(), out / name)
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None
    return files


def write_page(results: Iterable[Result], out: Path) -> list[Path]:
    """Write what was found in words (``audit.md``), and how long each took (``times.csv``)."""
    results = [*results]
    frame = pd.DataFrame(
        [(r.run, r.audit, r.seconds, len(r.files)) for r in results],
        columns=["run", "audit", "seconds", "files"],
    )
    lines = ["# Audit", ""]
    together = [r for r in results if not r.run]
    for title, chosen in [("All runs together", together), *_by_run(results)]:
        lines += [f"## {title}", ""]
        for result in chosen:
            lines += _entry(result)
    try:
        replace_file(out / "audit.md", "\n".join(lines) + "\n" + footer())
        return [out / "audit.md", *write_table(frame, out / "times")]
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None


def _by_run(results: list[Result]) -> list[tuple[str, list[Result]]]:
    names = dict.fromkeys(result.run for result in results if result.run)
    return [(name, [r for r in results if r.run == name]) for name in names]


def _entry(result: Result) -> list[str]:
    said = [result.verdict] if result.verdict else []
    said += [f"*{note}*" for note in result.notes]
    pictures = [file for file in result.files if file.suffix == ".png"]
    at = f"{result.run}/" if result.run else ""
    said += [f"![{file.stem}]({at}{file.name})" for file in pictures]
    return [f"### {result.audit}: {result.question}", "", *(f"{s}\n" for s in said)]
