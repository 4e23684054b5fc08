"""A run that workers and this process both compute on, and how their answers are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.analysis.test_bridge import STATES, name_of
from tests.log.synthetic import decision, modules, write_posterior_run
from vilora_analysis.log import Run, StepBlock, open_run

BRIDGE = [name_of(state) for state in STATES]
SCORES = [*BRIDGE, "mean_abs", "inverse_std", "snr@sum", "sensitivity@sum"]
IVON = {"name": "IVON", "groups": [{"hess_init": 0.5, "beta2": 0.9}]}
PARTS = (2, 7, 8, 9, 14, 20)


def write(path: Path) -> Run:
    """Thirty steps in seven parts, decisions at most of them, every score that anybody asks for."""
    budgets = {step: 20 - step // 3 for step in range(3, 30)}
    return open_run(
        write_posterior_run(
            path,
            steps=range(1, 31),
            rows=modules(2),
            scores=SCORES,
            optimizer=IVON,
            flush_after=PARTS,
            events=[decision(step, budget=budget) for step, budget in budgets.items()],
        ).path
    )


def steps_of(block: StepBlock) -> list[int]:
    return [int(step) for step in block.steps]


def equal(here: Any, there: Any) -> None:
    """The same bits, and the same types."""
    if isinstance(here, pd.DataFrame):
        pd.testing.assert_frame_equal(here, there, check_exact=True)
        floats = here.select_dtypes(float)
        assert floats.to_numpy().tobytes() == there[list(floats)].to_numpy().tobytes()
    elif isinstance(here, tuple | list):
        assert len(here) == len(there)
        for one, other in zip(here, there, strict=True):
            equal(one, other)
    else:
        np.testing.assert_array_equal(here, there)
