"""Answers as files: tables for programs and people, figures, and a page of verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from vilora_analysis import figures
from vilora_analysis.analysis.table.words import plain
from vilora_analysis.audits.definition import Answer, Draw
from vilora_analysis.errors import LogError
from vilora_analysis.figures.drawing import Pending, begin_here_or_there
from vilora_analysis.log.parts import replace_file
from vilora_analysis.provenance import Provenance, current, footer, with_provenance, writing_as

if TYPE_CHECKING:
    from vilora_analysis.audits.execute import Result

__all__ = ["Writing", "begin_answer", "csv_text", "write_answer", "write_page", "write_table"]

_ROWS_A_PIECE = 20_000


@dataclass(frozen=True)
class Writing:
    """An answer that is being written: its tables are, its figures may be on their way."""

    tables: tuple[Path, ...]
    figures: tuple[Pending[list[Path]], ...]
    out: Path

    def lend_a_hand(self) -> None:
        """Draw what nobody has begun to, from the last on: who draws begins with the first.

        Raises
        ------
        LogError
            If the folder cannot be written.
        """
        try:
            for figure in reversed(self.figures):
                figure.lend_a_hand()
        except OSError as error:
            raise LogError(f"cannot write to {self.out}: {error}") from None

    def files(self) -> list[Path]:
        """All that was written, once it is.

        Raises
        ------
        LogError
            If the folder cannot be written.
        """
        try:
            return [*self.tables, *(file for figure in self.figures for file in figure())]
        except OSError as error:
            raise LogError(f"cannot write to {self.out}: {error}") from None


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as CSV in which no name is taken for a formula; numbers are numbers.

    Source: OWASP, CSV injection: an apostrophe before ``=``, ``+``, ``-`` or ``@``.
    """
    return "".join(_csv_pieces(frame))


def _csv_pieces(frame: pd.DataFrame) -> Iterator[str]:
    """The same, some thousand rows at a time: of a long run the whole takes more than its audit."""
    texts = [*frame.select_dtypes(exclude=["number", "bool"])]
    for start in range(0, max(len(frame), 1), _ROWS_A_PIECE):
        piece = frame.iloc[start : start + _ROWS_A_PIECE].copy()
        for name in texts:
            piece[name] = piece[name].map(_inert)
        yield piece.to_csv(index=False, header=not start, float_format="%.6g", lineterminator="\n")


def _inert(value: object) -> object:
    return _inert_text(value) if isinstance(value, str) else value


@lru_cache(maxsize=4096)  # columns say the same few names over and over
def _inert_text(value: str) -> str:
    text = plain(value)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def write_table(frame: pd.DataFrame, path: Path) -> list[Path]:
    """Write a frame as Parquet and CSV under a name without suffix, and give the files.

    The Parquet file carries its provenance; CSV cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_name(f"{path.name}.{suffix}") for suffix in ("parquet", "csv")]
    schema = with_provenance(pa.Schema.from_pandas(frame, preserve_index=False))
    frame.to_parquet(written[0], index=False, schema=schema, row_group_size=_ROWS_A_PIECE)
    replace_file(written[1], _csv_pieces(frame))
    return written


def write_answer(answer: Answer, out: Path) -> list[Path]:
    """Write the tables, then draw and write the figures.

    Raises
    ------
    LogError
        If the folder cannot be written.
    """
    return begin_answer(answer, out, None).files()


def begin_answer(answer: Answer, out: Path, executor: Executor | None) -> Writing:
    """Write the tables, and have the figures drawn and written by another process if there is one.

    Raises
    ------
    LogError
        If the folder cannot be written.
    """
    tables: list[Path] = []
    try:
        for name, frame in answer.tables.items():
            tables += write_table(frame, out / name)
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None
    saves = [partial(_save, draw, out / name, current()) for name, draw in answer.figures.items()]
    return Writing(tuple(tables), tuple(begin_here_or_there(s, executor) for s in saves), out)


def _save(draw: Draw, path: Path, made: Provenance) -> list[Path]:
    with writing_as(made):
        return figures.save(draw(), path)


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
