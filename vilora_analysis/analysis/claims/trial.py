"""One finished run as the claims see it: its system, its settings, and what it gave."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vilora_analysis.analysis.claims.shadows import Shadow, by_matrix, read_shadow
from vilora_analysis.analysis.health import has_health, health
from vilora_analysis.analysis.verdict import verdict
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["OF_THE_OPTIMIZER", "Trial"]

OF_THE_OPTIMIZER = (
    *("lr", "lr_schedule", "first_lr", "first_steps", "warmup_steps", "weight_decay"),
    *("ess", "hess_init", "beta1", "beta2", "clip_radius"),
)
"""Settings that come with an optimizer: two optimizers may differ in them and still be compared."""

_COMPARED = {"method", "optimizer", "criterion", "seed"}
_WITHOUT_EFFECT = {
    *("out", "resume", "preset", "scale", "record_every", "elements_every", "checkpoint_every"),
    *("eval_every", "eval_samples", "data_dir", "scores", "fisher_every", "fisher_examples"),
}
"""Settings that change what is written, not what is trained."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A finished AdaLoRA run; what it gave is read when it is first asked for.

    Attributes
    ----------
    run
        The run.
    untold
        Settings that do not count, since other runs do not tell theirs.
    """

    run: Run
    untold: frozenset[str] = frozenset()

    @property
    def system(self) -> str:
        """Optimizer and criterion, as ``ivon snr``; both Adams go by ``adam``."""
        return f"{self.optimizer} {self.run.manifest.criterion or 'none'}"

    @property
    def optimizer(self) -> str:
        """Name of the optimizer."""
        manifest = self.run.manifest
        name = str(manifest.config.get("optimizer") or manifest.optimizer.get("name", "")).lower()
        return "adam" if name == "adamw" else name

    @property
    def task(self) -> str:
        """Name of the task."""
        return str(self.run.manifest.config.get("task", "unnamed"))

    @property
    def seed(self) -> Any:
        """Seed; None where whoever trained did not say."""
        return self.run.manifest.config.get("seed")

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Everything that trains otherwise, but for seed and system; plain values as text."""
        config = self.run.manifest.config
        left_out = _COMPARED | _WITHOUT_EFFECT | self.untold
        kept = {name: repr(value) for name, value in config.items() if name not in left_out}
        rows = self.run.manifest.modules
        mark = zlib.crc32(repr([(row.name, row.rank) for row in rows]).encode())
        return {**kept, "adapted matrices": f"{len(rows)} ({mark:08x})"}

    def metric(self, which: str) -> float:
        """First metric of the task, in percent points; NaN if it is not there."""
        results = self.run.manifest.results
        names = [name for name in results if not name.startswith(("best_", "sampled_"))]
        name = next(iter(names), "") if which == "final" else f"best_{next(iter(names), '')}"
        value = results.get(name)
        return 100 * float(value) if isinstance(value, int | float) else math.nan

    @property
    def metric_name(self) -> str:
        """Name of that metric."""
        return next(iter(self.run.manifest.results), "metric")

    @cached_property
    def ranks(self) -> np.ndarray:
        """Rank that each adapted matrix keeps in the end, in the manifest's order."""
        return by_matrix(self.kept, np.array([row.rank for row in self.run.manifest.modules]))

    @cached_property
    def kept(self) -> np.ndarray:
        """Which triplets are kept in the end, shape (triplets,)."""
        return self.run.triplets(["kept"], -1)["kept"].to_numpy(dtype=bool)

    @cached_property
    def seconds(self) -> np.ndarray:
        """Seconds of the steps at which no triplets were recorded, the first ones left out."""
        metrics = self.run.metrics()
        if "seconds" not in metrics:
            return np.empty(0)
        plain = ~metrics["step"].isin(self.run.steps) & (metrics["step"] > metrics["step"].min())
        return np.asarray(metrics.loc[plain, "seconds"].dropna(), dtype=float)

    @cached_property
    def shadow(self) -> Shadow | None:
        """What each score would have kept before anything was pruned; None if not recorded."""
        return read_shadow(self.run)

    @cached_property
    def posterior(self) -> str:
        """Level of the posterior's health where the shadow is taken; empty if not known."""
        if self.shadow is None or not has_health(self.run):
            return ""
        try:
            return verdict(health(self.run, self.shadow.step)).level
        except LogError:
            return ""
