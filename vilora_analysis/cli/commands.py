"""The commands: what each takes, with help and an example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from vilora_analysis.training.config import RunConfig

__all__ = ["Analyze", "Check", "Command", "Demo", "Scores", "Train"]

Runs = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...")]


@dataclass(frozen=True)
class Demo:
    """Train the bundled encoder on the embedded task, and draw what was recorded.

    Example: vilora demo --out runs/demo
    """

    out: Path = Path("runs/demo")
    """Folder to be, for the run and its figures."""
    steps: int = 600
    """Optimizer steps."""
    seed: int = 0
    """Seed of everything random."""


@dataclass(frozen=True)
class Train(RunConfig):
    """Train one run with every score recorded.

    Example: vilora train --task sst2 --data-dir glue --criterion snr --steps 300
    """


@dataclass(frozen=True)
class Analyze:
    """Analyse recorded runs: correlations, ranks and theory, as tables and figures.

    Example: vilora analyze runs/demo/run --out runs/demo/analysis
    """

    runs: Runs
    """Run directories, or folders that hold some."""
    out: Path = Path("analysis")
    """Folder for tables (Parquet, CSV) and figures (PNG, PDF)."""


@dataclass(frozen=True)
class Scores:
    """List the importance scores: name, equation, what it needs, source.

    Example: vilora scores
    """


@dataclass(frozen=True)
class Check:
    """Read whole logs and say what is wrong with them; exit status 1 if anything is.

    Example: vilora check runs/demo/run
    """

    runs: Runs
    """Run directories, or folders that hold some."""


Command = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Analyze, tyro.conf.subcommand("analyze")]
    | Annotated[Scores, tyro.conf.subcommand("scores")]
    | Annotated[Check, tyro.conf.subcommand("check")]
)
