"""``vilora claims``: what runs say of the paper's claims, in the terminal and as files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.table import Table

from vilora_analysis import analysis, figures
from vilora_analysis.audits import write_table
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.parts import replace_file

__all__ = ["claims"]

_CAPTION = (
    "A row a test; its effect and 95% interval in margins of the test (band). Solid: exact, by the "
    "sign-flip test or the jackknife; dotted: Student's, where too few pairs bound none, and which "
    "decides nothing. [shadow], [oracle]: one run a seed answers; else runs pruned by each score."
)


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
        files = _write(frame, command.out, command.alpha)
        console.line(f"{len(files)} files in {command.out}; why, test by test: {files[2]}")
    return 0


def _remedies(frame: pd.DataFrame) -> list[str]:
    """Commands, each once; those of several systems came as one line."""
    return list(
        dict.fromkeys(word for text in frame["remedy"] for word in text.split(" && ") if word)
    )


def _show(rows: pd.DataFrame, console: Terminal) -> None:
    """The tests of a claim; why some cannot be judged in a line a reason."""
    tested = rows[rows["n_pairs"] > 0]
    if len(tested):
        table = Table(box=None, pad_edge=False)
        for name in ("verdict", "task", "test", "pairs", "effect", "p (least)", "could show"):
            table.add_column(name, justify="right" if name == "pairs" else "left", overflow="fold")
        for _, row in tested.iterrows():
            table.add_row(*_cells(row))
        console.print(table)
    untested = rows[rows["verdict"] == "not testable"]
    for (task, why), group in untested.groupby(["task", "why"], sort=False):
        console.line(f"not testable, {task}: {'; '.join(group['statement'])}: {why}")


def _cells(row: pd.Series) -> list[str]:
    ends = f" [{row['low']:.3g}, {row['high']:.3g}]" if row["low"] == row["low"] else ""
    effect = f"{row['effect']:+.3g}{ends} {row['unit']}"
    p = f"{row['p']:.2g} ({row['smallest_p']:.2g})" if row["p"] == row["p"] else ""
    source = "" if row["evidence"].startswith("runs") else f" [{row['evidence'].split()[0]}]"
    return [
        row["verdict"],
        row["task"],
        row["statement"] + source,
        str(row["n_pairs"]),
        effect,
        p,
        f"{row['detectable']:.2g}",
    ]


def _write(frame: pd.DataFrame, out: Path, alpha: float) -> list[Path]:
    """Tables, the sheet in Markdown, and a figure a task."""
    caption = _CAPTION.replace("95%", f"{100 * (1 - alpha):g}%")
    try:
        out.mkdir(parents=True, exist_ok=True)
        files = write_table(frame, out / "claims")
        files.append(out / "claims.md")
        replace_file(files[-1], analysis.claims_markdown(frame))
        for task in frame["task"].unique():
            rows = frame[frame["task"] == task]
            name = "-".join(["claims", *re.findall(r"[\w.]+", task)])
            files += figures.save(figures.claims_forest(rows, caption=caption), out / name)
    except OSError as error:
        raise LogError(f"cannot write to {out}: {error}") from None
    return files
