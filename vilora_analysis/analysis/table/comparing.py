"""Each row against the baseline: pairs of equal seeds, the exact test, Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vilora_analysis.analysis.claims.judging import Outcome, examine
from vilora_analysis.analysis.claims.trial import OF_THE_OPTIMIZER, Trial
from vilora_analysis.analysis.table.systems import OF_THE_METHOD, Cell, Row

__all__ = ["Comparison", "Entry", "average", "baseline_of", "compare", "entry_of"]

System = tuple[str, str, str]


@dataclass(frozen=True)
class Entry:
    """One number of the table, before it is averaged over seeds.

    Attributes
    ----------
    values
        In percent, by seed.
    trials
        The run behind each task of it, by seed; several tasks for an average.
    """

    values: Mapping[object, float]
    trials: Mapping[object, Sequence[Trial]]


@dataclass(frozen=True)
class Comparison:
    """A row's difference from the baseline, or why there is none."""

    outcome: Outcome | None = None
    why: str = ""


def entry_of(cell: Cell, metric: Literal["final", "best"]) -> Entry:
    """Values of a cell."""
    values = cell.values(metric)
    return Entry(values, {seed: [cell.trials[seed]] for seed in values})


def average(entries: Sequence[Entry]) -> Entry:
    """Mean over tasks, of the seeds that have all of them."""
    seeds = [seed for seed in entries[0].values if all(seed in e.values for e in entries)]
    return Entry(
        {seed: math.fsum(e.values[seed] for e in entries) / len(entries) for seed in seeds},
        {seed: [trial for e in entries for trial in e.trials[seed]] for seed in seeds},
    )


def baseline_of(row: Row, rows: Iterable[Row], system: System) -> tuple[Row | None, str]:
    """The row that another is held against, and why there is none.

    It is of the same setup and target rank. Full fine-tuning has no rank, so it is held against the
    baseline of whatever rank if there is only one.
    """
    alike = [other for other in rows if other.setup == row.setup and other.system == system]
    if row in alike:
        return None, ""
    if row.target_rank is not None:
        alike = [other for other in alike if other.target_rank == row.target_rank]
    if len(alike) == 1:
        return alike[0], ""
    return None, "several baselines" if alike else "no baseline"


def compare(ours: Entry, baseline: Entry, alpha: float) -> Comparison:
    """Test the differences of equal seeds, where the runs may be compared.

    Method and optimizer bring settings of their own. Any other that differs, the number of steps
    among them, would be a reason for a difference beside the system.
    """
    seeds = [seed for seed in ours.values if seed in baseline.values]
    if not seeds:
        return Comparison(why="no common seed")
    pairs = [
        pair
        for seed in seeds
        for pair in zip(ours.trials[seed], baseline.trials[seed], strict=True)
    ]
    if differing := dict.fromkeys(name for pair in pairs for name in _apart(*pair)):
        return Comparison(why=f"differs in {', '.join(differing)}")
    differences = [ours.values[seed] - baseline.values[seed] for seed in seeds]
    return Comparison(examine(differences, kind="superiority", margin=0.0, alpha=alpha))


def _apart(ours: Trial, theirs: Trial) -> list[str]:
    """Settings in which two runs differ though their systems need not."""
    allowed = {"task"}
    if ours.optimizer != theirs.optimizer:
        allowed |= {*OF_THE_OPTIMIZER}
    if _method(ours) != _method(theirs):  # which brings its learning rate, too
        allowed |= {*OF_THE_OPTIMIZER, *OF_THE_METHOD}
    a, b = ours.settings, theirs.settings
    return [name for name in a if name in b and a[name] != b[name] and name not in allowed]


def _method(trial: Trial) -> str:
    return str(trial.run.manifest.config.get("method", "adalora"))
