"""What the manifest says of a run, and the log that is opened with it."""

from __future__ import annotations

import importlib.metadata
import platform
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilora_analysis import scores as registry
from vilora_analysis.inputs import INPUTS
from vilora_analysis.log import LogWriter, Manifest, ModuleRow, ScoreRow
from vilora_analysis.log.failures import OnError
from vilora_analysis.log.schema import elements_schema, triplets_schema

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from vilora_analysis.allocation import Allocator
    from vilora_analysis.recording.triplet_steps import Recorded
    from vilora_analysis.scores import Smoothing
    from vilora_analysis.triplets import TripletLayout

__all__ = ["describe_run", "open_log"]

DEPTH = 16
_VERSIONED = ("vilora-analysis", "torch", "ivon-opt", "peft", "transformers", "numpy", "pyarrow")


def describe_run(
    optimizer: Optimizer,
    layout: TripletLayout | None,
    recorded: Recorded,
    allocator: Allocator | None,
    smoothing: Smoothing,
    config: Mapping[str, Any],
) -> Manifest:
    """Manifest of a run that is about to start."""
    described = map(registry.get, recorded.scores)
    modules = layout.modules if layout is not None else ()
    return Manifest(
        run_id=uuid.uuid4().hex,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        modules=tuple(ModuleRow(m.name, m.matrix, m.layer, m.rank) for m in modules),
        scores=tuple(
            ScoreRow(s.name, s.label, s.equation, s.source, s.inputs, s.level) for s in described
        ),
        criterion=allocator.criterion if allocator else None,
        every=recorded.every,
        optimizer=_describe_optimizer(optimizer),
        recorder={
            "beta1": smoothing.beta1,
            "beta2": smoothing.beta2,
            "fisher_beta": smoothing.fisher_beta,
            "schedule": None,
            "rule": None,
            "l1": None,
            **(allocator.describe() if allocator else {}),
            "elements_every": recorded.elements_every,
        },
        config=dict(config),
        versions=_versions(),
    )


def open_log(
    out: Path,
    manifest: Manifest,
    recorded: Recorded,
    factors: Sequence[str],
    flush_seconds: float,
    resume_step: int | None,
    on_error: OnError = "raise",
) -> LogWriter:
    """Open the run directory for writing, with the schemas of what is recorded.

    Parts are encoded and written in a thread, for which ``DEPTH`` pieces of work may wait.
    """
    needs = {*recorded.inputs, *registry.requirements(recorded.scores)}
    elements = [name for name in INPUTS if name in needs]
    return LogWriter(
        out,
        manifest,
        triplets=triplets_schema(recorded.inputs, manifest.scores, factors) if factors else None,
        elements=elements_schema(elements) if recorded.elements_every else None,
        flush_seconds=flush_seconds,
        resume_step=resume_step,
        on_error=on_error,
        depth=DEPTH,
    )


def _describe_optimizer(optimizer: Optimizer) -> dict[str, Any]:
    plain = (int, float, str, bool, type(None))
    groups = [
        {key: value for key, value in group.items() if isinstance(value, plain)}
        for group in optimizer.param_groups
    ]
    return {"name": type(optimizer).__name__, "groups": groups}


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
