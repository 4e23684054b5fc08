"""The training loop that is recorded."""

from __future__ import annotations

from typing import Any

import vilora_analysis as va
from tests.conftest import batches


def loop(model: Any, optimizer: Any, steps: int, each: Any = lambda step: None) -> None:
    for step, batch in enumerate(batches(steps), start=1):
        with va.sampled_parameters(optimizer):
            model(**batch).loss.backward()
        optimizer.step()
        each(step)
        optimizer.zero_grad()
