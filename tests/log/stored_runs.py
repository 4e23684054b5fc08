"""What is written to an object store and to disk, and how the two are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.log.synthetic import decision

NAMES = ("snr", "mean_abs", "sensitivity", "inverse_std")
TABLES = ("triplets", "events", "metrics")
WRITTEN: dict[str, Any] = {
    "steps": range(1, 7),
    "scores": NAMES,
    "flush_after": (2, 4),
    "events": [decision(3), decision(6)],
}


def assert_same(there: Any, here: Any) -> None:
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(there, table)(), getattr(here, table)())
    np.testing.assert_array_equal(there.steps, here.steps)
    assert there.columns == here.columns
