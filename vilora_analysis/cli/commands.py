"""The commands: what each takes, with help and an example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from vilora_analysis.cli.asking_logs import (
    Analyze,
    Audit,
    Claims,
    Figure,
    Report,
    RunPaths,
    Table,
    TableFormat,
)
from vilora_analysis.cli.asking_models import Bench, Fisher, Oracle, Planted
from vilora_analysis.cli.provenance import Provenance
from vilora_analysis.sweeps import ClusterOptions
from vilora_analysis.training.config import RunConfig

__all__ = [
    "Analyze",
    "Audit",
    "Bench",
    "Check",
    "Claims",
    "Command",
    "Compact",
    "Demo",
    "Figure",
    "Fisher",
    "Oracle",
    "Others",
    "Planted",
    "Provenance",
    "Report",
    "Runs",
    "Scores",
    "Sweep",
    "Table",
    "TableFormat",
    "Train",
]


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

    The published runs: vilora train --preset paper --task rte --target-rank 2 --criterion snr
    --model microsoft/deberta-v3-base; add --scale 0.05 for a twentieth of the steps.
    """

    show_config: bool = False
    """Print what would run, and run nothing."""


@dataclass(frozen=True)
class Scores:
    """List the importance scores: name, equation, what it needs, source.

    Example: vilora scores
    """


@dataclass(frozen=True)
class Check:
    """Read whole logs and say what is wrong with them, and what that affects.

    Exit status: 0 if they are sound, remarks and known gaps included; 1 if anything is wrong; 2 if
    they cannot be checked or repaired.

    Example: vilora check runs/demo/run
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""

    repair: bool = False
    """Set bad parts aside, in RUN/set-aside, and note which steps are lost; delete nothing."""


@dataclass(frozen=True)
class Compact:
    """Put the many small parts of a long log together to few large ones; what it says stays.

    Example: vilora compact runs/demo/run

    Safe to interrupt: every step is there once at any instant, and the same command goes on. A run
    that is being written is refused.
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""


@dataclass(frozen=True, kw_only=True)
class Sweep(ClusterOptions):
    """Train every run that a file asks for; the same command goes on where it was stopped.

    Example: vilora sweep systems --data-dir glue --workers 2

    The file is TOML: out, a table [fixed] of settings, a table [grid] of lists that are combined,
    and [[systems]] of settings that belong together. Finished runs are left alone. Exit status 1
    if any run failed.
    """

    grid: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="GRID.toml")]
    """File of the sweep, or the name of a shipped one: claims, systems, table1."""
    out: Path | None = None
    """Folder of the runs, in place of the file's."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet, in place of the file's."""
    retry_failed: bool = False
    """Run once more what failed."""
    dry_run: bool = False
    """List the runs and their states, and start none."""


@dataclass(frozen=True)
class Runs:
    """List the runs below folders: state, settings and results.

    Example: vilora runs runs/systems --csv systems.csv
    """

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DIR...")]
    """Folders that hold runs, at any depth."""
    csv: Path | None = None
    """File for the whole table, a row for each run."""


Others = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Analyze, tyro.conf.subcommand("analyze")]
    | Annotated[Audit, tyro.conf.subcommand("audit")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Scores, tyro.conf.subcommand("scores")]
    | Annotated[Check, tyro.conf.subcommand("check")]
    | Annotated[Compact, tyro.conf.subcommand("compact")]
    | Annotated[Fisher, tyro.conf.subcommand("fisher")]
    | Annotated[Oracle, tyro.conf.subcommand("oracle")]
    | Annotated[Claims, tyro.conf.subcommand("claims")]
    | Annotated[Table, tyro.conf.subcommand("table")]
    | Annotated[Figure, tyro.conf.subcommand("figure")]
    | Annotated[Planted, tyro.conf.subcommand("planted")]
    | Annotated[Bench, tyro.conf.subcommand("bench")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
    | Annotated[Runs, tyro.conf.subcommand("runs")]
    | Annotated[Provenance, tyro.conf.subcommand("provenance")]
)
Command = Annotated[Train, tyro.conf.subcommand("train")] | Others
