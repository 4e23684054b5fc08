"""How long until something is there: importing, the help, and an analysis from the command line.

    .venv/bin/python benchmarks/startup.py --run runs/demo/run

Each is a process of its own; they take turns, and medians of wall clock and of processor time are
printed, with those of an interpreter that does nothing: on a machine that does other things too,
processor time says more.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a recorded run to analyse")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    vilora = str(Path(sys.executable).with_name("vilora"))
    with tempfile.TemporaryDirectory() as out:
        asked = {
            "an interpreter": [sys.executable, "-c", "pass"],
            "import vilora_analysis": [sys.executable, "-c", "import vilora_analysis"],
            "vilora --help": [vilora, "--help"],
        }
        if options.run:
            asked["vilora analyze"] = [vilora, "analyze", str(options.run), "--out", out]
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
        for _ in range(options.rounds):
            for name, words in asked.items():
                taken[name].append(timed(words))
    for name, times in taken.items():
        wall, cpu = (statistics.median(values) for values in zip(*times, strict=True))
        print(f"{name:24} {wall:6.3f} s   {cpu:6.3f} s of processors")


def timed(words: list[str]) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
