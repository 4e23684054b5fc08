"""A checkpoint that cannot be written: the one before stays whole, and ``on_error`` holds."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.faults.disk import Disk
from tests.training.test_resume import assert_same, files_of
from vilora_analysis.errors import LogError
from vilora_analysis.log import Manifest, check_run, open_run
from vilora_analysis.training import checkpoint, configure
from vilora_analysis.training import run as running
from vilora_analysis.training.saving import Saving

SETTINGS: dict[str, Any] = {
    "task": "sst2",
    "steps": 13,
    "batch_size": 4,
    "init_rank": 3,
    "target_rank": 2,
    "max_length": 16,
    "eval_every": 3,
    "checkpoint_every": 3,
    "resume": True,
}
FULL = range(6, 10)
"""Steps after which nothing can be written: two checkpoints and two evaluations are among them."""


@pytest.fixture(scope="module")
def settings(dropout_encoder: Path, glue: Path) -> dict[str, Any]:
    return {**SETTINGS, "model": str(dropout_encoder), "data_dir": glue}


@pytest.fixture(scope="module")
def whole(settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    running.train(configure(**settings, out=out), progress=False)
    return out


def full_disk(patch: pytest.MonkeyPatch, is_full: Callable[[], bool]) -> None:
    Disk(patch, lambda call: is_full())


def no_room_for_a_checkpoint(patch: pytest.MonkeyPatch, is_full: Callable[[], bool]) -> None:
    """The log is small, and still fits."""
    write = checkpoint.replace_bytes

    def written(path: Path, content: memoryview) -> None:
        if is_full() and path.name == "last.pt":
            with pytest.MonkeyPatch.context() as inner:
                Disk(inner, lambda call: True)
                write(path, content)
        write(path, content)

    patch.setattr(checkpoint, "replace_bytes", written)


Fault = Callable[[pytest.MonkeyPatch, Callable[[], bool]], None]


@contextmanager
def failing(fault: Fault, out: Path) -> Iterator[dict[int, int]]:
    """Step of the checkpoint on disk, by the step after which it was looked at."""
    between, now, found = running._between, [0], {}

    def watched(parts: Any, recording: Any) -> None:
        now[0] = recording.step
        between(parts, recording)
        if (out / "checkpoint" / "last.pt").exists():
            state = checkpoint.load_checkpoint(out / "checkpoint" / "last.pt")
            found[recording.step] = state["recording"]["step"]
            assert not list((out / "checkpoint").glob(".*"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_between", watched)
        fault(patch, lambda: now[0] in FULL)
        yield found


def test_nothing_is_said_of_a_checkpoint_before_where_there_may_be_none() -> None:
    with pytest.raises(LogError) as raised, Saving("raise").attempt("checkpoint", 3):
        raise OSError(28, os.strerror(28))
    told = pytest.warns(UserWarning, match="^no checkpoint at step 3: ")
    with told as caught, Saving("warn").attempt("checkpoint", 3):
        raise OSError(28, os.strerror(28))
    for said in (str(raised.value), str(caught[0].message)):
        assert "What was written before stays whole" in said
        assert "before is whole" not in said
    assert str(raised.value).endswith("; a run that has a checkpoint can be resumed")


@pytest.mark.parametrize("fault", [full_disk, no_room_for_a_checkpoint])
def test_training_goes_on_with_the_checkpoint_before(
    fault: Fault, settings: dict[str, Any], whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    config = configure(**settings, out=out, on_error="warn")
    with failing(fault, out) as found, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        running.train(config, progress=False)
    assert found == {step: 12 if step == 12 else 3 for step in range(3, 13)}
    told = [str(one.message) for one in caught if "Training goes on" in str(one.message)]
    (said,) = [text for text in told if text.startswith("no checkpoint at step 6: ")]
    assert str(out / "checkpoint" / "last.pt") in said
    assert os.strerror(28) in said
    assert "Remedy: free some space" in said
    assert len(told) == len({text.split(" at step ")[0] for text in told})  # each kind once
    expected, got = files_of(whole), files_of(out)
    last = {name for name in expected if name.startswith("adapter/")}
    assert last <= got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in last)
    assert check_run(out) == []
    best = open_run(out).manifest.results
    assert (out / "adapter-best").exists() == ("best_step" in best)
    if fault is full_disk:
        assert best["best_step"] not in FULL
        assert {(g.table, g.first, g.last) for g in Manifest.load(out).gaps} >= {("triplets", 4, 9)}
    else:
        assert_same(whole, out)


@pytest.mark.parametrize("fault", [full_disk, no_room_for_a_checkpoint])
def test_training_stops_and_is_resumed_from_the_checkpoint_before(
    fault: Fault, settings: dict[str, Any], whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    config = configure(**settings, out=out)
    with failing(fault, out) as found, pytest.raises(LogError) as raised:
        running.train(config, progress=False)
    assert str(out) in str(raised.value)
    assert f"{os.strerror(28)}" in str(raised.value)
    assert str(raised.value).count("Remedy: free some space") == 1
    assert "no checkpoint at step 6: " in str(raised.value) or fault is full_disk
    assert found == {3: 3, 4: 3, 5: 3}
    running.train(config, progress=False)
    assert_same(whole, out)
