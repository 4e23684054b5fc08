"""What recording costs: time per training step with and without it, interleaved in one process.

    python benchmarks/recording.py --steps 600

Copies of one model train on the same batches side by side, one step of each in turn, so that
whatever else the machine does falls on all of them alike: without recording, with every score
recorded at every step, and at every tenth. Ratios are of ten steps at a time, so that what is
recorded at every tenth, or written a few steps later, is in each of them; their median comes with
quartiles and an exact 95% interval of its own. `vilora bench` times more ways to train.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats

from vilora_analysis.probes.speed import SpeedQuestion, Variant
from vilora_analysis.probes.speed.measure import measure

VARIANTS = {
    "not recorded": Variant("ivon", "snr"),
    "every step": Variant("ivon", "snr", record_every=1),
    "every tenth": Variant("ivon", "snr", record_every=10),
}


def run(question: SpeedQuestion) -> dict[str, Any]:
    measured = measure(question, list(VARIANTS.values()))
    seconds = measured.steps.groupby("variant")["seconds"]
    base = seconds.get_group(VARIANTS["not recorded"].name)
    table = {
        name: _row(seconds.get_group(variant.name), base) for name, variant in VARIANTS.items()
    }
    written = measured.writing.set_index("variant").loc[VARIANTS["every step"].name]
    return table | {"bytes_per_step": round(written["bytes"] / written["steps"])}


def _row(seconds: pd.Series, base: pd.Series) -> dict[str, Any]:
    # both took the same batches, in the same rounds
    ratios = _by_ten(seconds) / _by_ten(base)
    low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    interval = stats.quantile_test(ratios, q=median, p=0.5).confidence_interval(0.95)
    return {
        "median_ms": round(1e3 * statistics.median(seconds), 2),
        "ratio_median": round(median, 4),
        "ratio_95": [round(interval.low, 4), round(interval.high, 4)],
        "ratio_quartiles": [round(low, 4), round(high, 4)],
        "mean_ms": round(1e3 * statistics.mean(seconds), 2),
    }


def _by_ten(seconds: pd.Series) -> np.ndarray:
    tens = len(seconds) // 10
    return seconds.to_numpy()[: 10 * tens].reshape(tens, 10).sum(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--task", default="acceptability")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    print(json.dumps(run(SpeedQuestion(**vars(parser.parse_args()))), indent=1))


if __name__ == "__main__":
    main()
