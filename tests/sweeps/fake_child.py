"""The real child, but for the training: what it does follows from the seed.

====  ==================================================
0-9   finishes
10    fails with a ViloraError, unless ``mended`` is there
11    fails with another exception
12    dies by a signal of the system
13    is asked to stop the first time, then finishes
14    hangs half-way the first time, then finishes
15    hangs half-way the first two times, then finishes
====  ==================================================

Each step leaves a line in ``work``, and a run that is started again goes on after the last one.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.log.synthetic import manifest
from vilora_analysis.errors import LayoutError
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.sweeps import child
from vilora_analysis.sweeps.fields import build

STEPS = 4
HANGS = {14: 1, 15: 2}


def train(fields: dict[str, Any], directory: Path) -> None:
    config = build(fields).as_dict()
    seed, start = fields["seed"], len(lines(directory / "starts"))
    first = start == 0
    note(directory / "starts", str(os.getpid()))
    if first:
        manifest(config=config, created=now()).save(directory)
    if seed == 10 and not Path("mended").exists():
        raise LayoutError("nothing\nto adapt")
    if seed == 11:
        raise RuntimeError("no more [memory]")
    if seed == 12:
        os.kill(os.getpid(), signal.SIGSEGV)
    if seed == 13 and first:
        os.kill(os.getpid(), signal.SIGTERM)
    for step in range(done(directory), STEPS):
        if start < HANGS.get(seed, 0) and step == STEPS // 2:
            time.sleep(600)
        note(directory / "work", f"step {step}")
    finish(directory)


def finish(directory: Path) -> None:
    note(directory / "ends", str(os.getpid()))
    ended = replace(
        Manifest.load(directory),
        status="finished",
        finished=now(),
        results={"accuracy": 0.75, "budget_kept": 9},
    )
    ended.save(directory)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def done(directory: Path) -> int:
    return len(lines(directory / "work"))


if __name__ == "__main__":
    child._train = train
    sys.exit(child.main())
