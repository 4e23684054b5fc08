"""Training logs go to a place that fsspec knows, and say what they say on disk."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("upath")


def _train(out: str | Path) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, out, scores=["snr"], every=1):
        for batch in batches(3):
            with optimizer.sampled_params(train=True):
                optimizer.zero_grad()
                model(**batch).loss.backward()
            optimizer.step()


def test_training_is_recorded_elsewhere_as_here(memory: str, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    _train(tmp_path / "run")
    torch.manual_seed(0)
    _train(f"{memory}/run")
    here, there = va.open_run(tmp_path / "run"), va.open_run(f"{memory}/run")
    pd.testing.assert_frame_equal(there.triplets(), here.triplets())
    assert len(there.steps) == 3
    assert not (tmp_path / "memory:").exists()
