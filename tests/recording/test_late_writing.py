"""What is written late is what there was: later steps do not write over numbers that wait."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import peft
import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from vilora_analysis.log import check_run, open_run
from vilora_analysis.log.buffers import RowsInHand
from vilora_analysis.recording import describe


def recorded(model: peft.PeftModel, out: Path) -> pd.DataFrame:
    torch.manual_seed(0)
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, out, elements_every=2):
        for batch in batches(6):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    assert check_run(out) == []
    return open_run(out).elements()


def test_elements_that_wait_for_the_disk_are_those_of_their_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(describe, "DEPTH", 0)
        expected = recorded(adalora(tiny_bert()), tmp_path / "at once")
    write = RowsInHand.write

    def late(rows: RowsInHand) -> None:
        if rows.table == "elements":
            time.sleep(0.3)  # two steps of training
        write(rows)

    monkeypatch.setattr(RowsInHand, "write", late)
    found = recorded(adalora(tiny_bert()), tmp_path / "late")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
