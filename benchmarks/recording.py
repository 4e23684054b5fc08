"""What recording costs: time per training step with and without it, interleaved in one process.

    python benchmarks/recording.py --steps 60

Copies of one model train on the same batches side by side, one step of each in turn, so that
whatever else the machine does falls on all of them alike: without recording, with every score
recorded at every step, and at every tenth. `vilora bench` times more ways to train.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import pandas as pd
import torch

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
    # ratios step by step: both took the same batch, in one round
    ratios = [a / b for a, b in zip(seconds, base, strict=True)]
    quartiles = statistics.quantiles(ratios, n=4)
    return {
        "median_ms": round(1e3 * statistics.median(seconds), 2),
        "ratio_median": round(quartiles[1], 4),
        "ratio_quartiles": [round(quartiles[0], 4), round(quartiles[2], 4)],
        "mean_ms": round(1e3 * statistics.mean(seconds), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--task", default="acceptability")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    print(json.dumps(run(SpeedQuestion(**vars(parser.parse_args()))), indent=1))


if __name__ == "__main__":
    main()
