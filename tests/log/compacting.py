"""Logs of many small parts, and all that a reader gets of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.log.synthetic import decision, manifest, modules, schema_of
from vilora_analysis.log import LogWriter, open_run
from vilora_analysis.log.schema import elements_schema

KNOWN = manifest(modules(1, ("W_q",)), ("snr",), recorder={"elements_every": 2})
SCHEMA = schema_of(KNOWN, ["mu"])
N = KNOWN.n_triplets
TABLES = ("triplets", "elements", "metrics", "events")


def write_log(path: Path, steps: int = 6, status: Any = "finished", **resumed: Any) -> Path:
    """A part a step; the metrics of a step stand in two parts, so that parts share it."""
    log = LogWriter(path, KNOWN, triplets=SCHEMA, elements=elements_schema(["mu"]), **resumed)
    for step in range(resumed.get("resume_step", 0) + 1, steps + 1):
        log.metrics(step, {"lr": step / 10})
        values = np.random.default_rng(step).normal(size=(len(SCHEMA) - 6, N)).astype(np.float32)
        values[0, 0] = -0.0
        log.triplets(step, values, values[0] > 0)
        if step % 2 == 0:
            key = {"module": f"m{step}", "layer": None, "matrix": "W_q", "k": 0, "factor": "A"}
            log.elements([{"step": step, **key, "mu": [float(step), 0.5]}])
            log.event(**decision(step, pruned=[f"m[{step}]"]))
        log.flush()
        log.metrics(step, {"loss": 1 / step})
    if status is None:
        log.flush()
        log._lock.release()  # as if killed
    else:
        log.close(status)
    return path


def content(path: Path) -> dict[str, pd.DataFrame]:
    run = open_run(path)
    return {
        "triplets": run.triplets(),
        "elements": run.elements(),
        "metrics": run.metrics(),
        "events": run.events(),
        "steps": pd.DataFrame({"step": run.steps}),
        "some": run.triplets(["score.snr"], [2, -1]),
        "blocks": pd.DataFrame(
            {n: np.concatenate([b.values[n].ravel() for b in run.blocks([n])]) for n in ["mu_A"]}
        ),
    }


def assert_same(path: Path, expected: Path) -> None:
    assert_content(path, content(expected))


def assert_content(path: Path, expected: dict[str, pd.DataFrame]) -> None:
    found = content(path)
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(found[name], frame, check_exact=True)
        assert found[name].attrs == frame.attrs
