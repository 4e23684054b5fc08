"""What a log costs on disk, to write, to open and to read; before and after it is compacted.

    .venv/bin/python benchmarks/reading.py --run RUN

First of a recorded run: bytes of its triplets over the raw bytes of its float columns, as the parts
stand there, written anew in one part, by pandas with its defaults, and compacted; rows a second of
processor time for each. Then of a run of 1,000 parts of three steps and 20 float columns, written
here: opening it, its steps, 3 and all 20 of its columns; the same once it is compacted. Each number
is the median of some rounds, in processor time and by the clock.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vilora_analysis.log import LogWriter, Manifest, ModuleRow, ScoreRow, compact_run, open_run
from vilora_analysis.log.layout import parquet_options
from vilora_analysis.log.schema import triplets_schema

PARTS, STEPS_A_PART, COLUMNS = 1000, 3, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a recorded run, for sizes")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.run:
            sizes(options.run, options.rounds, Path(folder) / options.run.name)
        readings(Path(folder) / "run", options.rounds)


def sizes(run: Path, rounds: int, copy: Path) -> None:
    parts = sorted((run / "triplets").glob("part-*.parquet"))
    whole = pa.concat_tables([pq.ParquetFile(part).read() for part in parts])
    table = whole.unify_dictionaries().combine_chunks()
    raw = 4 * table.num_rows * sum(pa.types.is_floating(field.type) for field in table.schema)
    print(f"{run.name}: {table.num_rows} rows, {raw / 1e6:.1f} MB of float32")
    there = sum(part.stat().st_size for part in parts)
    print(f"  {f'{len(parts)} parts as they are':28} {there / raw:.3f}")
    frame = table.to_pandas()
    ways: dict[str, Callable[[Any], object]] = {
        f"written, zstd {level}": lambda file, level=level: pq.write_table(
            table, file, **parquet_options(table.schema, level)
        )
        for level in (1, 3, 5, 6, 9, 12)
    }
    ways["pandas.to_parquet"] = frame.to_parquet
    for name, way in ways.items():
        taken = []
        for _ in range(rounds):
            file, began = io.BytesIO(), time.process_time()
            way(file)
            taken.append(time.process_time() - began)
        size, rate = len(file.getbuffer()) / raw, table.num_rows / statistics.median(taken)
        print(f"  {name:28} {size:.3f}   {rate:10,.0f} rows a second of one processor")
    shutil.copytree(run, copy)
    compact_run(copy)
    now = sum(path.stat().st_size for path in (copy / "triplets").glob("part-*.parquet"))
    kept = sum(path.stat().st_size for path in (copy / "compacted").glob("triplets-*"))
    print(f"  {'compacted':28} {now / raw:.3f}, and {kept / raw:.3f} for its digest")


def readings(path: Path, rounds: int) -> None:
    write(path)
    columns = [name for name in open_run(path).columns if name.startswith("score.")]
    for state in (f"{PARTS} parts", "compacted"):
        print(state)
        asked: dict[str, Callable[[], object]] = {
            "opening": lambda: open_run(path),
            "its steps": lambda: open_run(path).steps,
            "3 columns": lambda: open_run(path).triplets(columns[:3]),
            f"{COLUMNS} columns": lambda: open_run(path).triplets(columns),
            "3 columns of 10 steps": lambda: open_run(path).triplets(columns[:3], slice(500, 510)),
        }
        for name, ask in asked.items():
            wall, cpu = timed(ask, rounds)
            print(f"  {name:28} {wall:7.4f} s   {cpu:7.4f} s of processors")
        if state != "compacted":
            began = time.process_time()
            done = compact_run(path)
            print(
                f"compacting {done.parts_before} parts, {done.bytes_before / 1e6:.1f} MB, to "
                f"{done.parts_after}, {done.bytes_after / 1e6:.1f} MB: "
                f"{time.process_time() - began:.1f} s of processors"
            )


def timed(ask: Callable[[], object], rounds: int) -> tuple[float, float]:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter(), time.process_time()
        ask()
        taken.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, cpu = (statistics.median(values) for values in zip(*taken, strict=True))
    return wall, cpu


def write(path: Path) -> None:
    rows = tuple(ScoreRow(f"s{at}", "s", "f", "here", ("mu",), "triplet") for at in range(COLUMNS))
    modules = tuple(ModuleRow(f"m{at}", "W_q", at, 3) for at in range(72))
    known = Manifest("0" * 32, "2026-01-01T00:00:00+00:00", modules, rows, None, 1, {}, {}, {}, {})
    generator = np.random.default_rng(0)
    writer = LogWriter(path, known, triplets=triplets_schema((), rows, ()))
    for step in range(1, PARTS * STEPS_A_PART + 1):
        values = generator.lognormal(size=(COLUMNS, known.n_triplets)).astype(np.float32)
        writer.triplets(step, values, values[0] > 1)
        if step % STEPS_A_PART == 0:
            writer.flush()
    writer.close("finished")


if __name__ == "__main__":
    main()
