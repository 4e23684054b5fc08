"""Commands that read recorded runs: what each takes, with help and an example."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

__all__ = [
    "Analyze",
    "Audit",
    "Claims",
    "Figure",
    "OnWorkers",
    "Report",
    "RunPaths",
    "Table",
    "TableFormat",
]

RunPaths = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...")]
TableFormat = Literal["text", "markdown", "latex", "csv"]


@dataclass(frozen=True)
class OnWorkers:
    """What commands take that compute something of whole logs."""

    scheduler: str | None = field(default=None, kw_only=True)
    """Compute on the workers of a Dask scheduler, as tcp://host:8786, or on local:N, N processes of
    this machine; the results are the same. Needs the extra [sweep], and runs that all workers
    see."""


@dataclass(frozen=True)
class Analyze(OnWorkers):
    """Analyse recorded runs: correlations, ranks, theory, posterior, as tables and figures.

    Example: vilora analyze runs/demo/run --out runs/demo/analysis

    On a cluster: vilora analyze /shared/runs/sst2 --scheduler tcp://head-node:8786
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""
    out: Path = Path("analysis")
    """Folder for tables (Parquet, CSV) and figures (PNG, PDF)."""


@dataclass(frozen=True)
class Audit(OnWorkers):
    """Audit runs: everything that can be asked of each, and of all of them together.

    Example: vilora audit runs/audit --out audit

    On a cluster: vilora audit /shared/runs/audit --scheduler tcp://head-node:8786

    Needs nothing but the logs. What asks the model itself has a command of its own and is taken up
    where it was run: vilora oracle, vilora fisher, vilora planted.
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""
    out: Path = Path("audit")
    """Folder for tables (Parquet, CSV), figures (PNG, PDF) and the findings, audit.md."""


@dataclass(frozen=True)
class Claims:
    """Judge each claim of the paper by recorded runs: test, effect, what could be shown, verdict.

    Example: vilora claims runs/claims --out runs/claims-sheet

    The runs come from vilora sweep claims: six systems on six seeds, the fewest with which an exact
    test can reach 0.05. One run alone answers for what its scores would have kept.
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""
    out: Path | None = None
    """Folder for the sheet (Parquet, CSV, Markdown) and figures (PNG, PDF)."""
    alpha: float = 0.05
    """Two-sided level of every test."""
    margin: float = 0.5
    """Difference of the metric that does not matter, in percent points."""
    metric: Literal["final", "best"] = "final"
    """Metric of the final model, or of the best evaluation, as in the paper."""


@dataclass(frozen=True)
class Figure:
    """Draw a figure of the paper from recorded runs, as PNG, PDF and CSV.

    Example: vilora figure ranks runs/claims --out figures/fig1

    ranks: the paper's Fig. 1, a panel for every method, averaged over seeds, with the ranks on the
    way there and the distances between methods beside those between seeds.
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """Which figure: ranks."""
    runs: RunPaths
    """Run directories, or folders that hold some, of one task, model and budget."""
    out: Path = Path("figures")
    """Folder, or a file's name to begin those of all files with."""
    at: int | None = None
    """Step to look at; by default the last recorded one."""
    pooler: bool = False
    """Show matrices outside the layers apart, on top of each panel."""
    animate: bool = False
    """Write a GIF of the ranks over training as well."""


@dataclass(frozen=True)
class Report(OnWorkers):
    """Audit runs into one HTML file that a colleague can open: no network, no other file.

    Example: vilora report runs/audit -o report.html

    On a cluster: vilora report /shared/runs/audit --scheduler tcp://head-node:8786

    Verdicts first, then each audit with its figures and tables, what was set, and where it all
    comes from. Tables sort, figures enlarge; it prints, and reads on a phone.
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))] = Path("report.html")
    """File to write."""
    title: str = ""
    """Title of the page; by default it names the run, or how many."""


@dataclass(frozen=True)
class Table:
    """Make the paper's Table I of recorded runs: mean, spread, seeds, and what differs for sure.

    Example: vilora table runs/systems --published --out table1.tex

    Each system is held against a baseline by pairs of equal seeds, and set in bold only where the
    difference survives Holm's correction. What there is no run of is a dash. Without runs,
    --published gives the paper's own table.
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""
    published: bool = False
    """Put the paper's cells beside."""
    format: TableFormat | None = None
    """By default that of --out (.md, .tex, .csv), else text. CSV has a row a system and task."""
    out: Path | None = None
    """File to write instead of showing the table."""
    baseline: str | None = None
    """Method, optimizer and criterion; by default 'adalora, adamw, sensitivity'."""
    alpha: float = 0.05
    """Two-sided level of every test, after the correction."""
    metric: Literal["final", "best"] = "final"
    """Metric of the final model, or of the best evaluation, as in the paper."""
