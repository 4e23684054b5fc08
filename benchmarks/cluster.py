"""What workers of a cluster add and cost, and what a large model's logs would need of them.

    .venv/bin/python benchmarks/cluster.py
    .venv/bin/python benchmarks/cluster.py --scores 3 --slope 200_000_000 --out FOLDER

A log of the shape of a 70-billion-parameter model is written (80 layers x 7 matrices, rank 64,
35,840 triplets), a few million rows, with a decision at every step; or a recorded one is taken with
--run. Spearman's correlations of all scores and the changes of the shadow allocation are asked of
it by this process alone, then on local clusters of 1 and of 2 workers; every answer has to have the
same bits. From processor seconds and bytes by row follows what five seeds of six criteria of 10,000
steps would need. With --slope, that is held against a log of so many rows, which is deleted
afterwards; about 11 bytes a row are written for 3 scores.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import vilora_analysis as va
from vilora_analysis import analysis
from vilora_analysis.analysis.on_workers import VALUES_A_TASK, rows_a_task
from vilora_analysis.log import LogWriter, Manifest, ModuleRow, ScoreRow
from vilora_analysis.log.schema import triplets_schema

LAYERS, RANK = 80, 64
MATRICES = ("W_q", "W_k", "W_v", "W_o", "W_f1", "W_f2", "W_f3")
TRIPLETS = LAYERS * len(MATRICES) * RANK
STEPS, RUNS = 10_000, 5 * 6
WORKERS = tuple(2**at for at in range(11))
CORRELATION, SPREAD = np.float32(0.99), np.float32(0.3)


@dataclass(frozen=True)
class Measured:
    """Seconds, and processor seconds of this process (with the scheduler, without workers)."""

    seconds: float
    cpu: float
    bits: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a recorded run to ask; by default one is written")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--scores", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--slope", type=int, metavar="ROWS", help="rows of the log to predict")
    parser.add_argument("--out", type=Path, help="folder for the logs; by default temporary")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        path = options.run or write(Path(folder) / "log", options.rows, options.scores)
        cost = compare(path, options.workers)
        needed(cost, len(va.open_run(path).score_names))
        if options.slope:
            large = write(Path(folder) / "large", options.slope, options.scores)
            needed(check(large, cost, options.workers[-1]), options.scores)
            shutil.rmtree(large)


@dataclass(frozen=True)
class Cost:
    """By row: processor seconds, bytes, seconds on most workers; client's seconds by task."""

    cpu: float
    size: float
    on_workers: float
    serial: float


def compare(path: Path, counts: list[int]) -> Cost:
    """Ask here and on clusters, and say what that takes by row."""
    rows, size = extent(path)
    print(f"{path}: {rows:,} rows, {size / 1e6:.0f} MB, {size / rows:.2f} bytes a row")
    ask_all(path)  # what is read is in memory from here on
    here = ask_all(path)
    show("this process", here, here)
    for count in counts:
        began = time.perf_counter()
        with analysis.on_scheduler(f"local:{count}"):
            started = time.perf_counter() - began
            ask_all(path)  # workers import what they need
            there = ask_all(path)
        show(f"{count} workers", there, here, f"   (start {started:.1f} s)")
    cost = cost_of(path, here, there, counts[-1])
    print(f"{cost.cpu * 1e9:.0f} ns of a processor a row, client {cost.serial * 1e3:.1f} ms a task")
    return cost


def cost_of(
    path: Path, here: dict[str, Measured], there: dict[str, Measured], workers: int
) -> Cost:
    rows, size = extent(path)
    run = va.open_run(path)
    tasks = len(QUESTIONS) * max(1, rows // rows_a_task(run, len(run.score_names), workers))
    cpu, serial = (sum(m.cpu for m in asked.values()) for asked in (here, there))
    seconds = sum(m.seconds for m in there.values())
    return Cost(cpu / rows, size / rows, seconds / rows, serial / tasks)


def ask_all(path: Path) -> dict[str, Measured]:
    return {name: measured(ask, path) for name, ask in QUESTIONS.items()}


def measured(ask: Callable[[va.Run], str], path: Path) -> Measured:
    began = time.perf_counter(), time.process_time()
    bits = ask(va.open_run(path))
    return Measured(time.perf_counter() - began[0], time.process_time() - began[1], bits)


def show(name: str, asked: dict[str, Measured], here: dict[str, Measured], more: str = "") -> None:
    for question, found in asked.items():
        assert found.bits == here[question].bits, f"{question} differs on {name}"
        ratio = found.seconds / here[question].seconds
        print(
            f"  {name:13} {question:13} {found.seconds:8.2f} s, {ratio:5.2f} x   "
            f"{found.cpu:8.2f} s of this process   bits {found.bits[:8]}{more}",
            flush=True,
        )


def correlations(run: va.Run) -> str:
    digest = hashlib.sha256()
    for block in analysis.correlation_blocks(run):
        digest.update(block.steps.tobytes() + block.values.tobytes())
    return digest.hexdigest()


def shadow(run: va.Run) -> str:
    digest = hashlib.sha256()
    for frame in analysis.all_changes(run):
        digest.update(pd.util.hash_pandas_object(frame).to_numpy().tobytes())
    return digest.hexdigest()


QUESTIONS = {"correlations": correlations, "shadow": shadow}


def needed(cost: Cost, scores: int) -> None:
    """What the large model's logs would need, if workers add up and one client takes it all in."""
    rows = TRIPLETS * STEPS * RUNS
    print(
        f"\n70 billion parameters, {TRIPLETS:,} triplets x {STEPS:,} steps x {RUNS} runs, {scores} "
        f"scores: {rows / 1e9:.2f} billion rows, {rows * cost.size / 1e12:.3f} TB"
    )
    # one client hands out and takes in this many tasks, as large as they get
    serial = cost.serial * len(QUESTIONS) * rows * scores / VALUES_A_TASK
    print("workers    hours     GB/s read")
    for count in WORKERS:
        seconds = max(rows * cost.cpu / count, serial)
        read = len(QUESTIONS) * rows * cost.size / seconds
        print(f"{count:7d}  {seconds / 3600:7.3f}  {read / 1e9:12.3f}")
    print(
        f"no less than {serial / 3600:.3f} hours with one client for all {RUNS} runs; "
        "they can be asked by one each"
    )


def check(path: Path, cost: Cost, count: int) -> Cost:
    """Hold what was predicted by row against a long log; gives what that one takes."""
    rows, size = extent(path)
    print(f"\n{rows:,} rows, {size / 1e9:.2f} GB; predicted {rows * cost.size / 1e9:.2f} GB")
    answers: list[dict[str, Measured]] = []
    for workers in (0, count):
        with analysis.on_scheduler(f"local:{workers}") if workers else nullcontext():
            asked = ask_all(path)
        answers.append(asked)
        assert all(m.bits == answers[0][name].bits for name, m in asked.items()), "bits differ"
        seconds, cpu = (sum(getattr(m, k) for m in asked.values()) for k in ("seconds", "cpu"))
        expected = rows * (cost.on_workers if workers else cost.cpu)
        shown, kind = (seconds, "seconds") if workers else (cpu, "processor seconds")
        print(
            f"  {f'{workers} workers' if workers else 'this process'}: {shown:.0f} {kind}, "
            f"predicted {expected:.0f}: {shown / expected:.2f} of it   ({seconds:.0f} s in all)",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  same bits; peak memory of this process {peak:.0f} MB")
    return cost_of(path, answers[0], answers[1], count)


def extent(path: Path) -> tuple[int, int]:
    """Rows and bytes of the triplets."""
    run = va.open_run(path)
    size = sum(file.stat().st_size for file in (path / "triplets").glob("*.parquet"))
    return len(run.steps) * run.manifest.n_triplets, size


def write(path: Path, rows: int, n_scores: int) -> Path:
    """Scores that drift together and each by itself; the first one decides at every step."""
    modules = tuple(
        ModuleRow(f"layer.{layer}.{matrix}", matrix, layer, RANK)
        for layer in range(LAYERS)
        for matrix in MATRICES
    )
    names = [f"score_{at:02d}" for at in range(n_scores)]
    scores = tuple(ScoreRow(name, name, "f", "benchmark", ("mu",), "triplet") for name in names)
    known = Manifest(
        "0" * 32, "2026-01-01T00:00:00+00:00", modules, scores, None, 1, {}, {}, {}, {}
    )
    generator, steps = np.random.default_rng(0), max(2, round(rows / TRIPLETS))
    shape = (n_scores + 1, TRIPLETS)
    base, drift = generator.standard_normal(shape, dtype=np.float32), np.zeros(shape, np.float32)
    kick = SPREAD * np.sqrt(1 - CORRELATION**2)
    writer = LogWriter(path, known, triplets=triplets_schema((), scores, ()))
    for step in range(1, steps + 1):
        drift *= CORRELATION
        drift += kick * generator.standard_normal(shape, dtype=np.float32)
        values = np.exp(base[:-1] + drift[:-1] + 2 * base[-1] + drift[-1])
        budget = TRIPLETS - round(TRIPLETS / 3 * step / steps)
        kept = np.zeros(TRIPLETS, dtype=bool)
        kept[np.argpartition(-values[0], budget - 1)[:budget]] = True
        writer.event(step=step, budget=budget, threshold=0.0, n_kept=budget, pruned=[], revived=[])
        writer.triplets(step, values, kept)
    writer.close("finished")
    return path


if __name__ == "__main__":
    main()
