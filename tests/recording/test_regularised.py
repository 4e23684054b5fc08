"""A run under a penalty: its log, its adapter, and what recording and resuming may not change."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, load_adapter, tiny_bert, trainable
from vilora_analysis.adapter import load_posterior, save_adapter
from vilora_analysis.errors import LayoutError
from vilora_analysis.log import check_run
from vilora_analysis.triplets import TripletLayout

STEPS = 30
PENALTY = 4e-6


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=5e-3)


def strong(parameters: Any) -> Any:
    """Learns enough within 30 steps for the adapter to change the logits."""
    return ivon_for(parameters, lr=2.0)


OPTIMIZERS = pytest.mark.parametrize("make", [adamw, strong], ids=["adamw", "ivon"])


def fresh(make: Any, dropout: float = 0.1) -> tuple[Any, Any]:
    model = adalora(tiny_bert(dropout=dropout)).train()
    return model, make(trainable(model))


def values(model: Any) -> np.ndarray:
    found = [p.detach().numpy().ravel() for n, p in model.named_parameters() if "lora_E" in n]
    return np.concatenate(found)


def loop(model: Any, optimizer: Any, rows: Any, each: Any = lambda: None) -> None:
    for batch in rows:
        with va.sampled_parameters(optimizer):
            model(**batch).loss.backward()
        optimizer.step()
        each()
        optimizer.zero_grad()


def instrumented(model: Any, optimizer: Any, out: Path | None, **options: Any) -> va.Recording:
    return va.instrument(
        model, optimizer, out, **{"allocation": "l1", "l1_penalty": PENALTY, **options}
    )


@OPTIMIZERS
def test_log_events_and_weights_tell_the_same(tmp_path: Path, make: Any) -> None:
    model, optimizer = fresh(make)
    seen: list[np.ndarray] = []
    with instrumented(model, optimizer, tmp_path / "run") as recording:
        loop(model, optimizer, batches(STEPS), each=lambda: seen.append(values(model) != 0))
        assert recording.n_kept == seen[-1].sum()
    run = va.open_run(tmp_path / "run")
    assert check_run(run.path) == []
    events = run.events().set_index("step")
    names = TripletLayout.from_model(model).triplet_names
    kept = set(names)
    for step in range(1, STEPS + 1):
        row = run.triplets(["kept", "mu_E"], step)
        if step > 5:
            assert (row["kept"].to_numpy() == seen[step - 1]).all()
        before = set(kept)
        if step in events.index:
            event = events.loc[step]
            kept = (kept - set(event["pruned"])) | set(event["revived"])
            assert event["budget"] == event["n_kept"] == len(kept)
            zeroed = row.loc[~row["kept"], "mu_E"].abs()
            # logged before the penalty, so what was zeroed has its value still
            expected = zeroed.max() if len(zeroed) else None
            assert event["threshold"] == expected or np.isnan(event["threshold"])
        assert kept == {n for n, stays in zip(names, row["kept"], strict=True) if stays}
        assert (kept != before) <= (step in events.index)
    assert events.index[0] == 6
    assert 5 < len(kept) < 35
    assert any(len(revived) for revived in events["revived"])


def test_the_manifest_says_it(tmp_path: Path) -> None:
    model, optimizer = fresh(adamw)
    with instrumented(model, optimizer, tmp_path / "run", l1_metric="euclidean"):
        loop(model, optimizer, batches(1))
    manifest = va.open_run(tmp_path / "run").manifest
    assert manifest.criterion is None
    said = manifest.recorder
    assert said["l1"] == {"penalty": PENALTY, "start": 5, "metric": "euclidean"}
    assert said["schedule"] is said["rule"] is None


@OPTIMIZERS
def test_recording_does_not_change_the_training(tmp_path: Path, make: Any) -> None:
    ends = []
    for out in (tmp_path / "run", None):
        model, optimizer = fresh(make)
        torch.manual_seed(11)
        with instrumented(model, optimizer, out, **({"elements_every": 7} if out else {})):
            loop(model, optimizer, batches(STEPS))
        ends.append((list(model.parameters()), torch.get_rng_state()))
    assert all(torch.equal(a, b) for a, b in zip(ends[0][0], ends[1][0], strict=True))
    assert torch.equal(ends[0][1], ends[1][1])


@OPTIMIZERS
def test_a_loop_that_calls_itself_trains_the_same(make: Any) -> None:
    ends = []
    for drive in (True, False):
        model, optimizer = fresh(make, dropout=0.0)
        steps: Iterator[int] = iter(range(1, STEPS + 1))

        def call(model: Any = model, steps: Any = steps, drive: bool = drive) -> None:
            step = next(steps)
            if not drive:
                model.base_model.update_and_allocate(step)

        torch.manual_seed(11)
        with instrumented(model, optimizer, None, drive=drive):
            loop(model, optimizer, batches(STEPS), call)
        ends.append(list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_a_missing_call_and_one_too_many_are_said() -> None:
    model, optimizer = fresh(adamw)
    with (
        instrumented(model, optimizer, None, drive=False),
        pytest.raises(LayoutError, match="was not called after step 1"),
    ):
        loop(model, optimizer, batches(2))
    model, optimizer = fresh(adamw)
    with (
        instrumented(model, optimizer, None),
        pytest.raises(LayoutError, match="something else calls update_and_allocate"),
    ):
        loop(model, optimizer, batches(1), lambda: model.base_model.update_and_allocate(1))


@pytest.mark.parametrize(("make", "at"), [(adamw, 14), (strong, 3), (strong, 27)])
def test_resumed_is_the_same_run(tmp_path: Path, make: Any, at: int) -> None:
    """Before the first proximal step, within PEFT's schedule, and after it."""
    rows = list(batches(STEPS))
    model, optimizer = fresh(make)
    torch.manual_seed(11)
    with instrumented(model, optimizer, tmp_path / "whole"):
        loop(model, optimizer, rows)

    first, before = fresh(make)
    torch.manual_seed(11)
    recording = instrumented(first, before, tmp_path / "run")
    loop(first, before, rows[:at])
    state = copy.deepcopy(
        (recording.state_dict(), first.state_dict(), before.state_dict(), torch.get_rng_state())
    )
    recording.close(failed=True)

    second, after = fresh(make)
    second.load_state_dict(state[1])
    after.load_state_dict(state[2])
    with instrumented(second, after, tmp_path / "run", resume=state[0]):
        torch.set_rng_state(state[3])
        loop(second, after, rows[at:])
    for a, b in zip(model.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    logs = [va.open_run(tmp_path / name) for name in ("whole", "run")]
    pd.testing.assert_frame_equal(logs[0].triplets(), logs[1].triplets(), check_exact=True)
    pd.testing.assert_frame_equal(logs[0].events(), logs[1].events(), check_exact=True)


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        rows = [{k: v for k, v in batch.items() if k != "labels"} for batch in batches(3, seed=9)]
        return torch.cat([model(**batch).logits for batch in rows])


@OPTIMIZERS
@pytest.mark.parametrize("penalty", [PENALTY, 1e-4, 1e6])
def test_the_saved_adapter_has_what_is_not_zero(tmp_path: Path, make: Any, penalty: float) -> None:
    model, optimizer = fresh(make, dropout=0.0)
    with instrumented(model, optimizer, None, l1_penalty=penalty) as recording:
        loop(model, optimizer, batches(STEPS))
        kept = recording.n_kept
    model.eval()
    assert kept == (values(model) != 0).sum()
    assert (kept == 0) is (penalty == 1e6)
    posterior = save_adapter(model, optimizer, tmp_path)
    loaded = load_adapter(tiny_bert(), tmp_path).eval()
    torch.testing.assert_close(logits(loaded), logits(model))
    saved = values(loaded)
    assert len(saved) == kept
    assert (saved == values(model)[values(model) != 0]).all()
    if posterior is not None:
        names = [n for n in load_posterior(tmp_path).mu if "lora_E" in n]
        assert sum(load_posterior(tmp_path).mu[n].numel() for n in names) == kept


def test_a_trainer_is_driven(tmp_path: Path) -> None:
    from tests.training.trainers import trainer

    model, optimizer = fresh(strong, dropout=0.0)
    callback = va.VILoRACallback(
        tmp_path / "run", criterion=None, allocation="l1", l1_penalty=PENALTY
    )
    trainer(model, optimizer, callback, tmp_path / "out").train()
    run = va.open_run(tmp_path / "run")
    assert check_run(run.path) == []
    kept = run.triplets(["kept"], -1)["kept"].to_numpy()
    assert (kept == (values(model) != 0)).all()
    assert 0 < kept.sum() < 39
