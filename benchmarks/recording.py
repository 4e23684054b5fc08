"""What recording costs: time per training step with and without it, interleaved in one process.

    python benchmarks/recording.py --steps 60

Copies of one model train on the same batches side by side, one step of each in turn, so that
whatever else the machine does falls on all of them alike: without recording, with every score
recorded at every step, and at every tenth.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from vilora_analysis.posterior import sampled_parameters
from vilora_analysis.recording import instrument
from vilora_analysis.training import RunConfig
from vilora_analysis.training.data import batches, load_splits
from vilora_analysis.training.optimizers import build_optimizer
from vilora_analysis.training.run import prepare
from vilora_analysis.training.tasks import get_task

VARIANTS: dict[str, dict[str, Any]] = {
    "not recorded": {},
    "every step": {"every": 1},
    "every tenth": {"every": 10},
}


class Replica:
    """One model with its optimizer, instrumented in one way."""

    def __init__(self, config: RunConfig, rows: int, out: Path | None, options: Any) -> None:
        self.encoder = prepare(config, get_task(config.task))
        self.optimizer = build_optimizer(self.encoder.model, config, rows=rows)
        self.recording = instrument(
            self.encoder.model, self.optimizer, out, criterion=config.criterion, **options
        )
        self.seconds: list[float] = []

    def step(self, batch: Any, labels: torch.Tensor) -> None:
        started = time.perf_counter()
        with sampled_parameters(self.optimizer):
            self.encoder.model(**batch, labels=labels).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.seconds.append(time.perf_counter() - started)


def run(config: RunConfig, warm_up: int = 3) -> dict[str, Any]:
    task = get_task(config.task)
    splits = load_splits(task, config.data_dir)
    with tempfile.TemporaryDirectory() as folder:
        replicas = {
            name: Replica(
                config, len(splits.train), Path(folder) / str(i) if options else None, options
            )
            for i, (name, options) in enumerate(VARIANTS.items())
        }
        rows = batches(len(splits.train), config.batch_size, seed=config.seed)
        for _, chosen in zip(range(config.steps), rows, strict=False):
            frame = splits.train.iloc[chosen]
            texts = [frame[column].tolist() for column in task.texts]
            labels = torch.tensor(frame["label"].to_numpy())
            for replica in replicas.values():
                replica.step(replica.encoder.encode(texts), labels)
        for replica in replicas.values():
            replica.recording.close()
        size = sum(f.stat().st_size for f in Path(folder, "1", "triplets").glob("*.parquet"))
    return _table(replicas, warm_up) | {"bytes_per_step": round(size / config.steps)}


def _table(replicas: dict[str, Replica], warm_up: int) -> dict[str, Any]:
    base = replicas["not recorded"].seconds[warm_up:]
    table: dict[str, Any] = {}
    for name, replica in replicas.items():
        seconds = replica.seconds[warm_up:]
        # ratios step by step: both took the same batch, one right after the other
        ratios = [a / b for a, b in zip(seconds, base, strict=True)]
        quartiles = statistics.quantiles(ratios, n=4)
        table[name] = {
            "median_ms": round(1e3 * statistics.median(seconds), 2),
            "ratio_median": round(quartiles[1], 4),
            "ratio_quartiles": [round(quartiles[0], 4), round(quartiles[2], 4)],
            "mean_ms": round(1e3 * statistics.mean(seconds), 2),
        }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--task", default="acceptability")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = RunConfig(
        task=options.task,
        data_dir=options.data_dir,
        steps=options.steps,
        batch_size=options.batch_size,
    )
    print(json.dumps(run(config), indent=1))


if __name__ == "__main__":
    main()
