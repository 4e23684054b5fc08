"""A log that cannot be written, or numbers that are none: training stops, or goes on unchanged."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from vilora_analysis.errors import ConfigError, DecisionError, LogError, ScoreError
from vilora_analysis.log import check_run

SHORT = {"tinit": 1, "tfinal": 2, "total_step": 6}
STEPS = 6


def train(
    out: Path | None,
    at_step: Callable[[int], None] = lambda step: None,
    spoil: int | None = None,
    **options: Any,
) -> list[torch.Tensor]:
    """Six steps; after one of them sigma is 0 for the time the recording looks at it."""
    model = adalora(tiny_bert(layers=1), **SHORT)
    optimizer = ivon_for(trainable(model))
    state: dict[str, Any] = {"step": 0}

    def before_recording(*_: Any) -> None:
        state["step"] += 1
        if state["step"] == spoil:
            state["hess"] = optimizer.param_groups[0]["hess"].clone()
            optimizer.param_groups[0]["hess"].fill_(float("inf"))

    def after_recording(*_: Any) -> None:
        if state["step"] == spoil:
            optimizer.param_groups[0]["hess"].copy_(state["hess"])

    optimizer.register_step_post_hook(before_recording)
    with va.instrument(model, optimizer, out, **{"flush_seconds": 0.0, **options}) as recording:
        optimizer.register_step_post_hook(after_recording)
        for step, batch in enumerate(batches(STEPS), start=1):
            at_step(step)
            with va.sampled_parameters(optimizer):
                loss = model(**batch).loss
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            recording.log(loss=float(loss.detach()))
    return [parameter.detach().clone() for parameter in trainable(model)]


@contextmanager
def one_warning(told: str) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert len(caught) == 1, [str(warning.message) for warning in caught]
    assert told in str(caught[0].message)


def delete(run: Path) -> None:
    """Out of the way at once: the thread may be writing a file just now."""
    gone = run.rename(run.with_name("gone"))
    shutil.rmtree(gone, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed() -> list[torch.Tensor]:
    return train(None, criterion="snr")


def same(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@contextmanager
def full_disk(patch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Full before steps 3 and 4."""
    real, now = os.fsync, [0]

    def fsync(descriptor: int) -> None:
        if now[0] in (3, 4):
            raise OSError(28, "No space left on device")
        real(descriptor)

    with patch.context() as inside:
        inside.setattr(os, "fsync", fsync)
        yield lambda step: now.__setitem__(0, step)


def test_training_goes_on_bit_by_bit_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: list[torch.Tensor]
) -> None:
    run = tmp_path / "run"
    with one_warning("Remedy: free some space"), full_disk(monkeypatch) as at_step:
        weights = train(run, at_step, criterion="snr", on_error="warn")
    assert same(weights, undisturbed)
    assert check_run(run) == []
    opened = va.open_run(run)
    missing = {s for g in opened.manifest.gaps for s in range(g.first, g.last + 1)}
    there = set(opened.steps.tolist())
    assert missing
    assert there | missing == set(range(1, STEPS + 1))
    assert 6 in there  # earlier ones as far as the thread had come
    assert opened.manifest.status == "finished"


def test_training_goes_on_bit_by_bit_when_the_folder_is_deleted(
    tmp_path: Path, undisturbed: list[torch.Tensor]
) -> None:
    run = tmp_path / "run"

    def at_step(step: int) -> None:
        if step == 3:
            delete(run)

    with one_warning("put the folder back"):
        weights = train(run, at_step, criterion="snr", on_error="warn")
    assert same(weights, undisturbed)


def test_training_stops_by_default_with_path_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with (
        full_disk(monkeypatch) as at_step,
        pytest.raises(LogError, match=rf"{run}.*No space left.*Remedy: free some space"),
    ):
        train(run, lambda step: at_step(min(step, 3)), criterion="snr")
    assert check_run(run) == []
    steps = va.open_run(run).steps.tolist()
    assert steps == list(range(1, len(steps) + 1))


def test_an_error_of_training_is_not_hidden_by_one_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_step(step: int) -> None:
        if step == 3:
            delete(tmp_path / "run")
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        train(tmp_path / "run", at_step, criterion="snr")
    assert "The log could not be finished: cannot write" in caught.value.__notes__[0]


@pytest.mark.parametrize("criterion", [None, "mean_abs"])
def test_numbers_that_are_none_are_a_gap_where_no_decision_rests_on_them(
    criterion: str | None, tmp_path: Path
) -> None:
    """sigma of 0 at step 3 makes snr infinite: observed, or beside a criterion that is finite."""
    run = tmp_path / "run"
    options: dict[str, Any] = {"criterion": criterion, "scores": ["snr", "mean_abs"]}
    with one_warning("Training goes on: the step is left out"):
        spoilt = train(run, spoil=3, on_error="warn", elements_every=3, **options)
    assert same(spoilt, train(None, criterion=criterion))
    opened = va.open_run(run)
    assert opened.steps.tolist() == [1, 2, 4, 5, 6]
    gaps = {(gap.table, gap.first, gap.last) for gap in opened.manifest.gaps}
    assert gaps == {("triplets", 3, 3), ("elements", 3, 3)}
    reasons = {gap.table: gap.reason for gap in opened.manifest.gaps}
    assert "'snr'" in reasons["triplets"]
    assert "at step 3" in reasons["elements"]
    assert check_run(run) == []


def test_numbers_that_are_none_stop_by_default(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=r"'snr' of .*\[\d\] at step 3"):
        train(tmp_path / "run", spoil=3, criterion=None, scores=["snr"])


def test_a_decision_on_numbers_that_are_none_stops_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(DecisionError, match=r"'snr' of .*\[\d\] at step 3 is inf"):
        train(tmp_path / "run", spoil=3, criterion="snr", on_error="warn")
    assert check_run(tmp_path / "run") == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rule": "nonsense"}, "rule 'nonsense' is neither 'exact' nor 'published'"),
        ({"rule": "publisched"}, "did you mean published?"),
        ({"resume": {}}, "resume takes what Recording.state_dict"),
        ({"resume": {"step": "x"}}, "resume takes what Recording.state_dict"),
        ({"out": ""}, "out is empty"),
        ({"out": "  "}, "out is empty"),
        ({"flush_seconds": float("nan")}, "flush_seconds nan"),
        ({"flush_seconds": -1.0}, "flush_seconds -1.0"),
        ({"on_error": "ignore"}, "on_error 'ignore' is neither 'raise' nor 'warn'"),
    ],
    ids=str,
)
def test_settings_that_are_none(
    options: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        train(**{"out": tmp_path / "run", "criterion": "snr", **options})
    assert told in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_state_of_another_kind_leaves_no_hook_and_no_lock(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(run, criterion=None)
    model = adalora(tiny_bert(layers=1), **SHORT)
    optimizer = ivon_for(trainable(model))
    state = {"step": 6, "current_step": 6, "results": {}, "triplets": {}}
    with pytest.raises(ConfigError, match="resume takes what"):
        va.instrument(model, optimizer, run, criterion=None, resume=state)
    assert not optimizer._optimizer_step_pre_hooks
    assert not (run / ".writer.json").exists()
