"""At every instant of a compaction, and wherever it is killed, each step is there once."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.log.compacting import assert_content, assert_same, content, write_log
from tests.log.synthetic import parts_of
from vilora_analysis.log import check_run, compact_run, open_run, reading, run_digest
from vilora_analysis.log.parts import list_parts

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("compact") / "run")


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def between_all_calls(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[], None]
) -> pytest.MonkeyPatch:
    """Look before and after everything that changes a folder."""

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            look()
            result = real(*args, **kwargs)
            look()
            return result

        return call

    for name in ("replace", "unlink"):
        monkeypatch.setattr(os, name, watched(getattr(os, name)))
    return monkeypatch


def test_readers_see_every_step_once_at_every_instant(
    run: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, looks = run_digest(whole), [0]

    def look() -> None:
        looks[0] += 1
        assert open_run(run).triplets(["step"])["step"].tolist() == expected
        if looks[0] % 9 == 0:
            assert_same(run, whole)
            assert run_digest(run) == digest

    expected = open_run(whole).triplets(["step"])["step"].tolist()
    with monkeypatch.context() as patch:
        between_all_calls(patch, look)
        compact_run(run)
    assert looks[0] > 50


@pytest.mark.parametrize("read", range(7))
def test_a_reader_that_began_before_goes_on_after(run: Path, whole: Path, read: int) -> None:
    blocks = open_run(run).blocks(["mu_A"], slice(2, None))
    taken = list(itertools.islice(blocks, read))
    compact_run(run)
    taken += blocks
    assert [step for block in taken for step in block.steps.tolist()] == [2, 3, 4, 5, 6]
    expected = [b.values["mu_A"] for b in open_run(whole).blocks(["mu_A"], slice(2, None))]
    found = np.concatenate([block.values["mu_A"] for block in taken])
    assert (found == np.concatenate(expected)).all()


@pytest.mark.parametrize("method", ["triplets", "events", "metrics", "elements"])
def test_a_reader_is_overtaken_between_listing_and_reading(
    run: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    opened, real = [0], reading._sealed

    def overtaken(part: Any) -> Any:
        opened[0] += 1
        if opened[0] == 2:
            monkeypatch.setattr(reading, "_sealed", real)
            compact_run(run)
        return real(part)

    expected = getattr(open_run(whole), method)()
    monkeypatch.setattr(reading, "_sealed", overtaken)
    pd.testing.assert_frame_equal(getattr(open_run(run), method)(), expected)
    assert opened[0] == 2
    assert len(parts_of(run)) == 1


def test_a_listing_is_taken_again_if_it_was_overtaken(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a folder's listing may miss a new name and, later on, one that was deleted."""
    names, real = os.listdir(run / "triplets"), os.listdir
    compact_run(run)
    torn = iter([sorted(names)[:3]])
    monkeypatch.setattr(os, "listdir", lambda path: next(torn, None) or real(path))
    assert [(p.sequence, p.until) for p in list_parts(run / "triplets")] == [(0, 5)]


# Kills itself before its first, second, ... call that changes what is on disk, until none is left.
KILLED_EVERYWHERE = """
import io, os, shutil, signal, sys
from pathlib import Path
from vilora_analysis.log import compact_run

source, out = map(Path, sys.argv[1:])
seen = 0

def deadly(real, limit):
    def call(*args, **kwargs):
        global seen
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        return real(*args, **kwargs)
    return call

class Deadly(io.FileIO):
    '''Half of a write is done before it kills; every seventh of many counts.'''
    limit = writes = 0
    def write(self, data):
        global seen
        Deadly.writes += 1
        if self.writes % 7 != 1:
            return super().write(data)
        if seen == self.limit:
            super().write(memoryview(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        return super().write(data)

real_open = Path.open
limit = 0
while True:
    run = out / f"{limit:03d}"
    shutil.copytree(source, run)
    child = os.fork()
    if not child:
        os.fsync = lambda _: None
        for name in ("fsync", "replace", "unlink", "mkdir", "rmdir"):
            setattr(os, name, deadly(getattr(os, name), limit))
        Deadly.limit = limit
        Path.open = lambda p, mode="r", *a, **k: (
            Deadly(p, "w+b") if mode == "w+b" else real_open(p, mode, *a, **k)
        )
        compact_run(run)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
    limit += 1
"""


def test_killed_at_any_instant_no_step_is_lost_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    source = write_log(tmp_path / "source", 3, status=None)
    digest, expected = run_digest(source), content(source)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([sys.executable, "-c", KILLED_EVERYWHERE, source, out], cwd=ROOT, check=True)
    *killed, undisturbed = sorted(out.iterdir())
    assert len(killed) > 30
    different = {tuple(names_below(path)): path for path in killed}
    assert len(different) == 15
    for at, path in enumerate(different.values()):
        assert_content(path, expected)
        assert run_digest(path) == digest
        said = [problem.what for problem in check_run(path)]
        assert all("can be deleted" in what or "vilora compact" in what for what in said)
        if at % 5 == 0:
            write_log(path, 5, resume_step=2)  # a writer finds its way, too
            assert open_run(path).steps.tolist() == [1, 2, 3, 4, 5]
            assert not [problem for problem in check_run(path) if "compact" in problem.what]
        compact_run(path)
        assert check_run(path) == []
        assert len(parts_of(path)) == 1
    assert check_run(undisturbed) == []
    assert_content(undisturbed, expected)


def names_below(run: Path) -> list[Path]:
    """What a reader can tell apart."""
    return sorted(path.relative_to(run) for path in run.rglob("*") if path.suffix != ".tmp")
