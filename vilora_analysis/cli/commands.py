"""The commands: what each takes, with help and an example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from vilora_analysis.probes.planted import PlantedTask
from vilora_analysis.sweeps import ClusterOptions
from vilora_analysis.training.config import RunConfig

__all__ = [
    "Analyze",
    "Audit",
    "Check",
    "Claims",
    "Command",
    "Demo",
    "Fisher",
    "Oracle",
    "Others",
    "Planted",
    "Runs",
    "Scores",
    "Sweep",
    "Train",
]

RunPaths = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...")]


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
class Analyze:
    """Analyse recorded runs: correlations, ranks, theory, posterior, as tables and figures.

    Example: vilora analyze runs/demo/run --out runs/demo/analysis
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""
    out: Path = Path("analysis")
    """Folder for tables (Parquet, CSV) and figures (PNG, PDF)."""


@dataclass(frozen=True)
class Audit:
    """Audit runs: everything that can be asked of each, and of all of them together.

    Example: vilora audit runs/audit --out audit

    Needs nothing but the logs. What asks the model itself has a command of its own and is taken up
    where it was run: vilora oracle, vilora fisher, vilora planted.
    """

    runs: RunPaths
    """Run directories, or folders that hold some."""
    out: Path = Path("audit")
    """Folder for tables (Parquet, CSV), figures (PNG, PDF) and the findings, audit.md."""


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

    runs: RunPaths
    """Run directories, or folders that hold some."""


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


@dataclass(frozen=True)
class Fisher:
    """Take gradients of single examples of a trained adapter, and hold h and sigma against them.

    Example: vilora fisher runs/sst2 --data-dir glue --examples 256

    Along the training it is taken by vilora train --fisher-every N.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Run directory, with its adapter."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet, as for the training."""
    out: Path | None = None
    """Folder for tables and figure; by default RUN/fisher."""
    examples: int = 256
    """Training examples."""
    batch_size: int = 16
    """Examples that go through the model together; it changes no result."""
    seed: int = 0
    """Seed of the examples."""


@dataclass(frozen=True)
class Oracle:
    """Remove every triplet of a trained adapter in turn, and hold each score against what it costs.

    Example: vilora oracle runs/sst2 --data-dir glue --examples 256

    A run that was not pruned (--criterion none) answers for all its triplets, another for those it
    kept. Interrupted, the same command goes on.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Run directory, with its adapter."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet, as for the training."""
    out: Path | None = None
    """Folder for tables and figure; by default RUN/oracle."""
    examples: int = 256
    """Held-out examples."""
    batch_size: int = 32
    """Examples that go through the model together."""
    random_sets: int = 8
    """Random sets of each size, for comparison."""
    recovery_steps: int = 0
    """Steps of training after a third was removed, for each score; 0 for none."""
    seed: int = 0
    """Seed of the examples and the random sets."""


@dataclass(frozen=True)
class Planted(PlantedTask):
    """Plant low-rank updates into an encoder, and count which scores find them in a student.

    Example: vilora planted --out runs/planted --seeds 3

    One run for each seed, unpruned, with every score recorded; finished ones are left alone.
    """

    out: Path = Path("runs/planted")
    """Folder for the runs, seed-0 and so on."""
    seeds: int = 3
    """How many, from --seed on."""
    figures: Path | None = None
    """Folder for tables and figures; by default OUT/planted."""


Others = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Analyze, tyro.conf.subcommand("analyze")]
    | Annotated[Audit, tyro.conf.subcommand("audit")]
    | Annotated[Scores, tyro.conf.subcommand("scores")]
    | Annotated[Check, tyro.conf.subcommand("check")]
    | Annotated[Fisher, tyro.conf.subcommand("fisher")]
    | Annotated[Oracle, tyro.conf.subcommand("oracle")]
    | Annotated[Claims, tyro.conf.subcommand("claims")]
    | Annotated[Planted, tyro.conf.subcommand("planted")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
    | Annotated[Runs, tyro.conf.subcommand("runs")]
)
Command = Annotated[Train, tyro.conf.subcommand("train")] | Others
