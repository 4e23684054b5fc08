"""A recorded run with scores it did not have: what audits of a new metric are asked of."""

from __future__ import annotations

import math
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from vilora_analysis import scores as registry
from vilora_analysis.errors import LogError, ScoreError
from vilora_analysis.log import LogWriter, Manifest, Run, ScoreRow
from vilora_analysis.log.gaps import explains
from vilora_analysis.log.manifest import GapRow
from vilora_analysis.log.oracle import OracleFiles
from vilora_analysis.log.schema import RECORDED_INPUTS, triplets_schema
from vilora_analysis.posterior import Snapshot
from vilora_analysis.probes.rescoring import element_steps, snapshots
from vilora_analysis.scores import Score
from vilora_analysis.scores.evaluate import score_triplets

__all__ = ["rescored_run"]


def rescored_run(run: Run, names: Iterable[str], out: str | Path) -> Run:
    """Write a run again with further scores, computed from its recorded elements.

    Parameters
    ----------
    run
        A run recorded with ``elements_every``.
    names
        Registered scores that it did not record, with their aggregation if it is not the published
        one.
    out
        Directory of the new run.

    Returns
    -------
    Run
        The steps whose elements were recorded, with all columns of the old run and those of the new
        scores, its decisions, metrics and oracle: every audit of scores can be asked of it. What
        pruned is what pruned before; what the run would have become under a new score it cannot
        say. The elements stay where they are.

    Raises
    ------
    LogError
        If no step has elements and scores, or ``out`` holds a run.
    ScoreError
        If a score is unknown, recorded already, not finite, or asks for an input that was not
        recorded.
    """
    added = [registry.get(name) for name in names]
    if again := [score.name for score in added if score.name in run.score_names]:
        raise ScoreError(f"{run.name} records {', '.join(again)}; name scores that are new")
    steps = sorted({*element_steps(run)} & {*run.steps.tolist()})
    if not steps:
        raise LogError(f"{run.path} has no step with both elements and scores")
    values = {s.step: _new_columns(s, added) for s in snapshots(run, steps)}
    manifest = _manifest(run, added, steps)
    schema = _schema(run, manifest)
    writer = LogWriter(Path(out), manifest, triplets=schema)
    try:
        _fill(writer, run, values, [f.name for f in schema if pa.types.is_floating(f.type)])
    except BaseException:
        writer.close("failed")
        raise
    writer.close("finished", run.manifest.results)
    if (oracle := OracleFiles(run.path).folder).is_dir():
        shutil.copytree(oracle, OracleFiles(Path(out)).folder)
    return Run(out)


def _new_columns(snapshot: Snapshot, added: Sequence[Score]) -> dict[str, np.ndarray]:
    """Score and parts of each factor, as the log names them."""
    columns = {}
    for name, found in score_triplets([score.name for score in added], snapshot).items():
        columns[f"score.{name}"] = found.total.numpy()
        columns |= {f"score.{name}.{factor}": p.numpy() for factor, p in found.parts.items()}
        if not np.isfinite(columns[f"score.{name}"]).all():
            raise ScoreError(f"score {name!r} is not finite at step {snapshot.step}")
    return columns


def _manifest(run: Run, added: Sequence[Score], steps: Sequence[int]) -> Manifest:
    rows = [ScoreRow(s.name, s.label, s.equation, s.source, s.inputs, s.level) for s in added]
    names = [score.name for score in added]
    every = math.gcd(*np.diff(steps).tolist()) or steps[0]
    return replace(
        run.manifest,
        run_id=uuid.uuid4().hex,
        scores=(*run.manifest.scores, *rows),
        every=every,
        recorder={
            **run.manifest.recorder,
            "elements_every": 0,
            "rescored": {"run_id": run.manifest.run_id, "scores": names},
        },
        status="running",
        finished="",
        results={},
        gaps=(*run.manifest.gaps, *_without_elements(run, steps, every)),
    )


def _without_elements(run: Run, steps: Sequence[int], every: int) -> Iterator[GapRow]:
    """Steps that cannot be scored anew, as their elements or old scores are missing."""
    known = [replace(gap, table="triplets") for gap in run.manifest.gaps if gap.table == "elements"]
    yield from known
    known += run.manifest.gaps
    for before, after in pairwise(steps):
        first, last = before + every, after - every
        if first <= last and not explains(known, "triplets", first, last, every):
            yield GapRow("triplets", first, last, "no elements were recorded")


def _schema(run: Run, manifest: Manifest) -> pa.Schema:
    there = run.columns
    factors = [f for f in ("E", "A", "B") if any(name.endswith(f".{f}") for name in there)]
    inputs = [name for name in RECORDED_INPUTS if f"{name}_{factors[-1]}" in there]
    return triplets_schema(inputs, manifest.scores, factors)


def _fill(
    writer: LogWriter,
    run: Run,
    values: Mapping[int, Mapping[str, np.ndarray]],
    columns: Sequence[str],
) -> None:
    """Write the steps, what was decided and what was measured."""
    for step, new in values.items():
        recorded = [name for name in columns if name not in new]
        old = run.triplets([*recorded, "kept"], steps=[step])
        floats = [new[name] if name in new else old[name].to_numpy() for name in columns]
        writer.triplets(step, np.stack(floats), old["kept"].to_numpy())
    for row in run.events().to_dict("records"):
        writer.event(**{str(name): value for name, value in row.items()})
    for row in run.metrics().to_dict("records"):
        step = row.pop("step")
        writer.metrics(step, {str(k): v for k, v in row.items() if not math.isnan(v)})
