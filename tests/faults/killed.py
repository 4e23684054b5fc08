"""A real training, killed again and again: one process imports and loads, then forks every life.

Run as ``python -m tests.faults.killed PLAN`` with a :class:`Plan` in JSON; prints one line of JSON
an experiment, ``{"kills": [what was about to happen, ...], "error": ...}``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from tests.faults.lives import Deadly, Life, Tell, forked
from tests.training.test_resume import assert_same
from vilora_analysis.log import check_run, open_run, parts, writer
from vilora_analysis.log.manifest import FILE
from vilora_analysis.training import configure
from vilora_analysis.training import run as running
from vilora_analysis.training.checkpoint import load_checkpoint

STEPS_PER_FLUSH = 3
_UNFINISHED = ("left over from a write", "vilora compact deletes it")


@dataclass(frozen=True)
class Plan:
    """What to do: paths as text.

    Attributes
    ----------
    settings
        Of the run, without ``out``.
    root
        Where runs are made, and deleted.
    boundaries
        Before how many calls that change the disk to kill, evenly chosen; 0 means every one.
    second
        The same of the process that resumes, until it has taken its first step.
    instants
        How many random instants to kill at; every third is killed twice.
    seed
        Of these.
    """

    settings: dict[str, Any]
    root: str
    boundaries: int
    second: int
    instants: int
    seed: int = 0


class Harness:
    """Kills and resumes one run, and compares it with one that nobody killed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.root = Path(plan.root)
        self.run, self.whole = self.root / "run", self.root / "whole"
        self.much_to_cut = 0
        running.load_task = cache(running.load_task)  # type: ignore[assignment]
        task, _ = running.load_task(self._config())
        running.prepare(self._config(), task)

    def _config(self) -> Any:
        settings = {**self.plan.settings, "data_dir": Path(self.plan.settings["data_dir"])}
        return configure(**settings, out=self.run)

    def trained(self, tell: Tell, ticks: bool) -> None:
        """Train, telling of everything that took its name, and of every step."""
        instrument, rename, between = running.instrument, parts._rename, running._between
        flush_seconds = STEPS_PER_FLUSH if ticks else 0.02
        if ticks:  # a flush after the same steps each time
            clock = itertools.count()
            writer.time = SimpleNamespace(monotonic=lambda: next(clock))  # type: ignore[assignment]

        def instrumented(*args: Any, **options: Any) -> Any:
            nonlocal began
            began = time.monotonic()
            tell("begun")
            return instrument(*args, flush_seconds=flush_seconds, **options)

        def renamed(aside: Path, path: Path) -> None:
            rename(aside, path)
            tell(f"named {path.relative_to(self.run)}")

        def stepped(made: Any, recording: Any) -> None:
            tell(f"step {recording.step}")
            between(made, recording)

        running.instrument, running._between = instrumented, stepped
        parts._rename = renamed
        began = time.monotonic()
        running.train(self._config(), progress=False)
        tell(f"seconds {time.monotonic() - began}")

    def life(self, limit: int | None, before: Sequence[str], last: bool, tell: Tell) -> None:
        """Look at what the life before left, go on, and (if it is the last) compare."""
        self.stands(before)
        if limit is None:
            self.trained(tell, ticks=False)
        else:
            with Deadly(tell, limit, self.run) as deadly:
                self.trained(tell, ticks=True)
            tell(f"calls {deadly.seen + 1}")
        if last:
            self.ended_well()
        if not self.whole.exists():
            for name in list(sys.modules):
                tell(f"module {name}")

    def stands(self, named: Sequence[str]) -> None:
        """Assert that what has a name is whole, and is there if it was told of."""
        lost = [name for name in named if not (self.run / name).exists()]
        # former checkpoints of the best model are deleted, and all of them at the end
        assert not [name for name in lost if not name.startswith("checkpoint/")], lost
        found = sorted(self.run.glob("*/part-*")) if self.run.exists() else []
        if not (self.run / FILE).exists():
            assert not found, found
            return
        problems = [p for p in check_run(self.run) if not any(w in p.what for w in _UNFINISHED)]
        assert not problems, problems
        state = load_checkpoint(self.run / "checkpoint" / "last.pt")
        if state is not None:
            self._reaches(int(state["recording"]["step"]))

    def _reaches(self, step: int) -> None:
        """Assert that all that a checkpoint builds on is in the log."""
        run = open_run(self.run)
        steps = run.triplets(["step"])["step"].drop_duplicates().tolist()
        assert steps == list(range(1, len(steps) + 1)), steps
        assert len(steps) >= step, (steps[-1:], step)
        assert run.metrics()["step"].max() >= step

    def ended_well(self) -> None:
        """Assert that it is, to the last bit, the run that nobody killed, with nothing besides."""
        if self.whole.exists():
            assert_same(self.whole, self.run)
        assert open_run(self.run).manifest.status == "finished"
        odd = [*self.run.rglob("*.tmp"), *self.run.glob("checkpoint")]
        assert not odd, odd

    def uninterrupted(self) -> tuple[int, float]:
        """Make the run to compare with; how often it changes the disk, and how long it takes."""
        life = self._alive(partial(self.life, -1, (), True))
        self.run.rename(self.whole)
        _import_all(life.what("module"))
        gc.freeze()  # collecting would copy the pages that lives share
        timed = self._alive(partial(self.life, None, (), True))
        shutil.rmtree(self.run)
        self.much_to_cut = _before_a_checkpoint(life)
        return int(life.what("calls")[0]), float(timed.what("seconds")[0])

    def _alive(self, work: Callable[[Tell], None]) -> Life:
        life = forked(work)
        if life.killed or life.error:
            raise RuntimeError(life.error or "killed by somebody else")
        return life

    def boundary(self, limits: Sequence[int]) -> dict[str, Any]:
        """Kill before a call, then the process that resumes before another, and so on."""
        return self._experiment([(partial(self.life, n), None) for n in limits])

    def instant(self, seconds: Sequence[float]) -> dict[str, Any]:
        """Kill at random instants."""
        return self._experiment([(partial(self.life, None), wait) for wait in seconds])

    def _experiment(self, lives: Sequence[tuple[Any, float | None]]) -> dict[str, Any]:
        kills, named = [], ()
        for work, patience in lives:
            life = forked(partial(work, named, False), patience)
            if life.error:
                break
            if life.killed:
                kills.append(_where(life))
            named = tuple(life.what("named"))
        else:
            life = forked(partial(self.life, None, named, True))
        error = life.error
        if error:
            shutil.copytree(self.run, self.root / f"bad-{time.monotonic_ns()}")
        shutil.rmtree(self.run, ignore_errors=True)
        return {"kills": kills, "error": error}


def _import_all(modules: Sequence[str]) -> None:
    """Import in this process what a life was seen to import, so that the next ones need not."""
    for name in modules:
        if name not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def _before_a_checkpoint(life: Life) -> int:
    """Call that names the last part before the second checkpoint: many are behind the first."""
    calls = [text.split(" ", 1) for text in life.what("renaming")]
    saved = [int(call) for call, name in calls if name.endswith("last.pt")]
    return max(int(call) for call, name in calls if "/part-" in name and int(call) < saved[1])


def _where(life: Life) -> str:
    return next(iter(life.what("killed")), f"step {(life.what('step') or ['0'])[-1]}")


def chosen(calls: int, number: int) -> list[int]:
    """So many of the calls, evenly; all of them for 0."""
    return sorted({i * calls // number for i in range(number)}) if number else list(range(calls))


def experiments(harness: Harness) -> Iterator[dict[str, Any]]:
    """Everything that the plan says."""
    plan = harness.plan
    calls, seconds = harness.uninterrupted()
    print(json.dumps({"calls": calls, "seconds": seconds}), flush=True)
    for limit in chosen(calls, plan.boundaries):
        yield {"at": limit, **harness.boundary([limit])}
    for limit in chosen(SECOND_CALLS, plan.second):
        limits = [harness.much_to_cut, limit]
        yield {"at": limits, **harness.boundary(limits)}
    draw, killed = random.Random(plan.seed), 0
    while killed < plan.instants:  # a life that had ended by itself does not count
        waits = [draw.uniform(0, seconds) for _ in range(2 if killed % 3 == 2 else 1)]
        result = harness.instant(waits)
        killed += len(result["kills"])
        yield {"at": waits, **result}


SECOND_CALLS = 60
"""Calls of a process that resumes which are its taking up of the log, and a bit more."""


def main() -> None:
    torch.set_num_threads(1)
    plan = Plan(**json.loads(sys.argv[1]))
    with contextlib.closing(experiments(Harness(plan))) as results:
        for result in results:
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
