"""How long does each audit take on a long log?

    .venv/bin/python benchmarks/audits.py RUN --steps 20000 --out FOLDER

A log of so many steps is written from the last recorded step of a run: every column drifts by a
random walk in its logarithm that returns slowly (correlation 0.99 from step to step), signs stay.
The criterion decides at every step of the schedule's middle, as a run does. Then each audit is
asked once, drawn and written; seconds and the process's peak memory so far are printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # as the command has it

import numpy as np

import vilora_analysis as va
from vilora_analysis.audits import audit_runs
from vilora_analysis.log import LogWriter
from vilora_analysis.log.schema import RECORDED_INPUTS, triplets_schema

CORRELATION, SPREAD = 0.99, 0.3
LARGEST = np.float32(1e30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a recorded run to take columns and modules from")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--out", type=Path, help="folder for log and audit; by default temporary")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = options.out or Path(folder)
        began = time.perf_counter()
        log = lengthen(va.open_run(options.run), options.steps, out / "log")
        size = sum(f.stat().st_size for f in log.path.rglob("*.parquet")) / 1e6
        print(
            f"{options.steps} steps written in {time.perf_counter() - began:.1f} s, {size:.0f} MB"
        )
        for result in audit_runs([log], out / "audit"):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            said = result.notes[0] if result.notes and not result.files else ""
            print(f"{result.audit:15} {result.seconds:7.2f} s   peak {peak:5.0f} MB   {said}")


def lengthen(source: va.Run, steps: int, path: Path) -> va.Run:
    """Write a run of so many steps with the columns of another."""
    there = set(source.columns)
    inputs = [name for name in RECORDED_INPUTS if f"{name}_A" in there]
    factors = [factor for factor in "EAB" if f"mu_{factor}" in there]
    schema = triplets_schema(inputs, source.manifest.scores, factors)
    names = [f.name for f in schema if f.name in there and str(f.type) == "float"]
    base = source.triplets(names, steps=-1).to_numpy(dtype=np.float32).T
    base = np.clip(np.where(base == 0, np.float32(1e-6), base), -LARGEST, LARGEST)
    known = dataclasses.replace(source.manifest, every=1, status="running", finished=None)
    criterion = names.index(f"score.{known.criterion or known.scores[0].name}")
    generator = np.random.default_rng(0)
    first, last, n = round(0.3 * steps), round(0.7 * steps), base.shape[1]
    drift, kept = np.zeros_like(base), np.ones(n, dtype=bool)
    writer = LogWriter(path, known, triplets=schema)
    for step in range(1, steps + 1):
        drift *= CORRELATION
        drift += (
            SPREAD
            * np.sqrt(1 - CORRELATION**2)
            * generator.standard_normal(base.shape, dtype=np.float32)
        )
        values = np.clip(base * np.exp(drift), -LARGEST, LARGEST)
        if first < step <= last:
            budget = round(n * (1 - (step - first) / (last - first) / 3))
            order = np.argsort(-values[criterion], kind="stable")
            kept = np.zeros(n, dtype=bool)
            kept[order[:budget]] = True
            writer.event(
                step=step, budget=budget, threshold=0.0, n_kept=budget, pruned=[], revived=[]
            )
        writer.triplets(step, values, kept)
        writer.metrics(step, {"loss": 1.0, "lr": 1.0, "clip_rate": 0.01})
        writer.flush_if_due()
    writer.close("finished", {})
    return va.open_run(path)


if __name__ == "__main__":
    main()
