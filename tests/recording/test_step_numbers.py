"""Numbers computed in the writer's thread are those of their own step, whatever goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from vilora_analysis.errors import LogError, ScoreError
from vilora_analysis.posterior import Snapshot
from vilora_analysis.recording import describe, step_numbers
from vilora_analysis.recording.step_numbers import KeptLater, StepNumbers
from vilora_analysis.triplets import TripletLayout

STEPS = 30


def recorded(out: Path, **options: Any) -> pd.DataFrame:
    """Triplets and metrics of a short run, side by side; times left out."""
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    torch.manual_seed(5)
    with va.instrument(model, optimizer, out, **options):
        for batch in batches(STEPS):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    run = va.open_run(out)
    return run.triplets().merge(run.metrics().drop(columns="seconds"), on="step")


@pytest.mark.parametrize(("criterion", "every"), [("sensitivity", 1), ("snr", 3)])
def test_the_thread_writes_what_the_caller_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, criterion: str, every: int
) -> None:
    """Even if it is slow, and the memory of a step would be needed long before it was read."""
    options = {"criterion": criterion, "every": every, "scores": ["default", "bridge"]}
    compute = step_numbers.triplet_values

    def slowly(*args: Any) -> np.ndarray:
        time.sleep(0.005)
        return compute(*args)

    with monkeypatch.context() as patch:
        patch.setattr(step_numbers, "triplet_values", slowly)
        threaded = recorded(tmp_path / "threaded", **options)
    monkeypatch.setattr(describe, "DEPTH", 0)
    pd.testing.assert_frame_equal(threaded, recorded(tmp_path / "plain", **options))
    assert len(threaded) == STEPS // every * va.open_run(tmp_path / "plain").manifest.n_triplets


def snapshot() -> Snapshot:
    layout = TripletLayout.from_model(adalora(tiny_bert()))
    generator = torch.Generator().manual_seed(0)
    return Snapshot(1, layout, {"mu": torch.rand(layout.n_elements, generator=generator)})


def test_memory_is_free_once_the_numbers_are_there() -> None:
    numbers = StepNumbers(snapshot(), ("mu",), ("mean_abs",))
    assert not numbers.done
    values = numbers.resolve()
    assert values.shape == (3 + 4, snapshot().layout.n_triplets)
    assert numbers.done


def test_it_is_free_as_well_when_they_cannot_be_had() -> None:
    bad = snapshot()
    bad.inputs["mu"][7] = torch.nan
    numbers = StepNumbers(bad, ("mu",), ("mean_abs",))
    with pytest.raises(ScoreError, match="mean_abs"):
        numbers.resolve()
    assert numbers.done


def test_numbers_that_were_given_up_are_not_made_up() -> None:
    numbers = StepNumbers(snapshot(), ("mu",), ("mean_abs",))
    numbers.give_up()
    assert numbers.done
    with pytest.raises(LogError, match="given up"):
        numbers.resolve()


def test_what_was_kept_is_brought_as_it_is() -> None:
    assert KeptLater(torch.tensor([True, False])).resolve().tolist() == [True, False]
