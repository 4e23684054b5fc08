"""Rank correlations of 12 scores at every step of a long log: here, in Polars, in DuckDB.

    .venv/bin/python benchmarks/correlations.py --out FOLDER
    .venv/bin/python benchmarks/correlations.py --out FOLDER --lengths 20000 85000 340000

A log of so many steps x 216 triplets is written: a common random walk in the logarithm of each
triplet and one of each score, both returning slowly; from the middle on a third of the triplets is
pruned, and the scores of pruned ones are zero, so that there are ties. Each tool reads the Parquet
files and gives Spearman's correlation, average ranks, of all 66 pairs at every step, in a process
of its own; the tools take turns. Printed are medians of seconds (imports left out), of the time
that all processors took, and of the peak memory of the process, and the largest difference from
ours. Longer logs than the first are for ours alone. With --recorded RUN, a recorded run is compared
too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TRIPLETS_A_MATRIX, LAYERS = 3, 12
MATRICES = ("W_q", "W_k", "W_v", "W_o", "W_f1", "W_f2")
SCORES = tuple(f"score_{at:02d}" for at in range(12))
CORRELATION, SPREAD = 0.99, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[20_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recorded", type=Path, help="a recorded run to compare on too")
    parser.add_argument("--out", type=Path, help="folder for the logs; by default temporary")
    parser.add_argument("--keep", action="store_true", help="leave the logs there")
    parser.add_argument("--ask", nargs=3, metavar=("TOOL", "RUN", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        answer(*options.ask)
        return
    with tempfile.TemporaryDirectory() as folder:
        out = options.out or Path(folder)
        if options.recorded:
            compare(options.recorded, options.rounds, tuple(TOOLS))
        for at, length in enumerate(options.lengths):
            path = out / f"log-{length}"
            if not path.exists():
                write(path, length)
            compare(path, options.rounds, tuple(TOOLS) if at == 0 else ("ours",))
            if not options.keep:
                shutil.rmtree(path)


def compare(run: Path, rounds: int, tools: tuple[str, ...]) -> None:
    measured: dict[str, list[dict[str, float]]] = {tool: [] for tool in tools}
    found: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for tool in tools:
                result = Path(folder) / f"{tool}.npy"
                words = [sys.executable, __file__, "--ask", tool, str(run), str(result)]
                said = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
                measured[tool].append(said)
                found[tool] = np.load(result) if result.exists() else np.empty(0)
    print(f"{run.name}: {said['steps']} steps, {size(run) / 1e6:.0f} MB")
    ours = medians(measured["ours"])
    for tool in tools:
        now = medians(measured[tool])
        line = f"  {tool:14} {now['seconds']:7.2f} s, {now['seconds'] / ours['seconds']:5.1f} x"
        line += f"   {now['cpu']:7.2f} s of processors, {now['cpu'] / ours['cpu']:5.1f} x"
        line += f"   peak {now['peak']:5.0f} MB"
        if tool != "ours":
            both = np.nan_to_num(found[tool], nan=9), np.nan_to_num(found["ours"], nan=9)
            line += f"   largest difference {np.abs(both[0] - both[1]).max():.1e}"
        print(line, flush=True)


def medians(measured: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(said[name] for said in measured) for name in measured[0]}


def answer(tool: str, run: str, result: str) -> None:
    """Time one tool in this process."""
    ask = TOOLS[tool]()
    began = time.perf_counter(), time.process_time()
    steps, values = ask(Path(run))
    seconds, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    if len(values):
        np.save(result, values)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "steps": steps}))


Answer = Callable[[Path], tuple[int, np.ndarray]]
MOST_KEPT = 50_000


def with_ours() -> Answer:
    from vilora_analysis import open_run
    from vilora_analysis.analysis import correlation_blocks

    def ask(path: Path) -> tuple[int, np.ndarray]:
        run = open_run(path)
        names = compared(path)
        a, b = np.triu_indices(len(names), k=1)
        kept, steps = [], 0
        for block in correlation_blocks(run, scores=names):
            steps += len(block.steps)
            if steps <= MOST_KEPT:
                kept.append(block.values[:, a, b])
        return steps, np.concatenate(kept) if steps <= MOST_KEPT else np.empty(0)

    return ask


def with_polars(ranked_first: bool) -> Answer:
    import polars as pl

    def ask(path: Path) -> tuple[int, np.ndarray]:
        columns = [f"score.{name}" for name in compared(path)]
        pairs = list(itertools.combinations(columns, 2))
        rows = pl.scan_parquet(path / "triplets" / "*.parquet").select("step", *columns)
        if ranked_first:
            ranks = rows.with_columns(pl.col(columns).rank().over("step"))
            asked = [pl.corr(a, b).alias(f"{a} {b}") for a, b in pairs]
        else:
            ranks = rows.group_by("step").agg(pl.col(columns).rank()).explode(columns)
            asked = [pl.corr(a, b).alias(f"{a} {b}") for a, b in pairs]
        found = ranks.group_by("step").agg(asked).sort("step").collect()
        return len(found), found.drop("step").to_numpy()

    return ask


def with_duckdb() -> Answer:
    import duckdb

    def ask(path: Path) -> tuple[int, np.ndarray]:
        columns = [f"score.{name}" for name in compared(path)]
        # first and last place among equals, by one sort a score
        windows = ", ".join(
            f'w{at} as (partition by step order by "{c}")' for at, c in enumerate(columns)
        )
        n = sum(module["rank"] for module in described(path)["modules"])
        ranks = ", ".join(
            f"(rank() over w{at} + round(cume_dist() over w{at} * {n})) / 2 as r{at}"
            for at in range(len(columns))
        )
        pairs = itertools.combinations(range(len(columns)), 2)
        asked = ", ".join(f"corr(r{a}, r{b})" for a, b in pairs)
        files = path / "triplets" / "*.parquet"
        found = duckdb.sql(
            f"select step, {asked} from (select step, {ranks} from '{files}' "
            f"window {windows}) group by step order by step"
        ).fetchnumpy()
        values = [np.ma.filled(v, np.nan) for name, v in found.items() if name != "step"]
        return len(found["step"]), np.stack(values, axis=1)

    return ask


TOOLS: dict[str, Callable[[], Answer]] = {
    "ours": with_ours,
    "Polars, over": lambda: with_polars(True),
    "Polars, groups": lambda: with_polars(False),
    "DuckDB": with_duckdb,
}


def compared(path: Path) -> list[str]:
    return [row["name"] for row in described(path)["scores"]][:12]


def described(path: Path) -> dict[str, Any]:
    return dict(json.loads((path / "run.json").read_text(encoding="utf-8")))


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path / "triplets").glob("*.parquet"))


def write(path: Path, steps: int) -> None:
    from vilora_analysis.log import LogWriter, Manifest, ModuleRow, ScoreRow
    from vilora_analysis.log.schema import triplets_schema

    modules = tuple(
        ModuleRow(f"layer.{layer}.{matrix}", matrix, layer, TRIPLETS_A_MATRIX)
        for layer in range(LAYERS)
        for matrix in MATRICES
    )
    rows = tuple(ScoreRow(name, name, "f", "benchmark", ("mu",), "triplet") for name in SCORES)
    known = Manifest("0" * 32, "2026-01-01T00:00:00+00:00", modules, rows, None, 1, {}, {}, {}, {})
    n = known.n_triplets
    generator = np.random.default_rng(0)
    base = generator.normal(size=(len(SCORES), n)) + 2 * generator.normal(size=n)
    drift, kept = np.zeros((len(SCORES) + 1, n), dtype=np.float32), np.ones(n, dtype=bool)
    kick = np.float32(SPREAD * np.sqrt(1 - CORRELATION**2))
    writer = LogWriter(path, known, triplets=triplets_schema((), rows, ()))
    for step in range(1, steps + 1):
        drift *= np.float32(CORRELATION)
        drift += kick * generator.standard_normal(drift.shape, dtype=np.float32)
        values = np.exp(base + drift[:-1] + drift[-1], dtype=np.float32, casting="same_kind")
        if 2 * step > steps:
            kept = np.arange(n) % 3 > 0
            values[:8, ~kept] = 0
        writer.triplets(step, values, kept)
    writer.close("finished")


if __name__ == "__main__":
    main()
