"""``vilora claims``: what runs say of the paper's claims, in the terminal and as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vilora_analysis import analysis
from vilora_analysis.audits import claims_answer, write_answer
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, references
from vilora_analysis.log.parts import replace_file
from vilora_analysis.provenance import footer, recorded

__all__ = ["claims"]


def claims(command: commands.Claims, console: Terminal, runs: Sequence[Run]) -> int:
    """Judge the claims, show the sheet, and write it if asked to."""
    frame = analysis.claims(runs, alpha=command.alpha, margin=command.margin, metric=command.metric)
    for claim in analysis.CLAIMS:
        rows = frame[frame["claim"] == claim.id]
        if len(rows):
            console.line(f"{claim.id}  {claim.text} [{claim.section}]")
            _show(rows, console)
    if remedies := _remedies(frame):
        console.line("to test what is not testable yet:")
        for remedy in remedies:
            console.line(f"  {remedy}")
    for note in frame.attrs["notes"]:
        console.line(note)
    console.line(analysis.claims_verdict(frame))
    if command.out is not None:
        with recorded(references(runs)):
            files = _write(frame, command.out, command.alpha)
        console.line(f"{len(files)} files in {command.out}; why, test by test: {files[0]}")
    return 0


def _remedies(frame: pd.DataFrame) -> list[str]:
    """Commands, each once; those of several systems came as one line."""
    return list(
        dict.fromkeys(word for text in frame["remedy"] for word in text.split(" && ") if word)
    )


def _show(rows: pd.DataFrame, console: Terminal) -> None:
    """The tests of a claim, two lines each; those without data in a line a reason."""
    several = len(rows["task"].unique()) > 1
    for _, row in rows[rows["n_pairs"] > 0].iterrows():
        task = f"{row['task']}: " if several else ""
        source = "" if row["evidence"].startswith("runs") else f" [{row['evidence'].split()[0]}]"
        console.line(f"  {row['verdict']}: {task}{row['statement']}{source}")
        console.line(f"      {_numbers(row)}")
    untested = rows[rows["n_pairs"] == 0]
    for (where, why), group in untested.groupby(["task", "why"], sort=False):
        console.line(f"  not testable, {where}: {'; '.join(group['statement'])}: {why}")


def _numbers(row: pd.Series) -> str:
    ends = f" [{row['low']:.3g}, {row['high']:.3g}]" if row["low"] == row["low"] else ""
    p = f"p {row['p']:.2g} ({row['smallest_p']:.2g} at least); " if row["p"] == row["p"] else ""
    least = row["detectable"]
    could = f"could have shown {least:.2g}" if np.isfinite(least) else "could have shown nothing"
    pairs = f"{row['n_pairs']} pair{'s' if row['n_pairs'] > 1 else ''}"
    return f"{row['effect']:+.3g}{ends} {row['unit']}, {pairs}; {p}{could}"


def _write(frame: pd.DataFrame, out: Path, alpha: float) -> list[Path]:
    """Table, the sheet in Markdown, and a figure a task."""
    sheet = out / "claims.md"
    files = write_answer(claims_answer(frame, alpha), out)
    try:
        replace_file(sheet, analysis.claims_markdown(frame) + footer())
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None
    return [sheet, *files]
