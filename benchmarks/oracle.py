"""The oracle against brute force: the loss without each triplet, both on the same examples.

    .venv/bin/python benchmarks/oracle.py
    .venv/bin/python benchmarks/oracle.py --run RUN --data-dir glue --examples 64

Without a run, a short one is trained first, of the bundled encoder on the embedded task. Brute
force sets the triplet to zero and evaluates the whole model, as PEFT gives it, once a triplet. Both
take turns, batch by batch, and who is first changes. With ``--every 6``, brute force is asked for
every sixth triplet only, and its time multiplied by that.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import vilora_analysis as va
from vilora_analysis.probes.ablation import without
from vilora_analysis.probes.effects import Batch, ablate_each, batches_of
from vilora_analysis.probes.subject import Adapted, config_of, load_adapted
from vilora_analysis.training.data import load_task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a finished run with its adapter")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--every", type=int, default=1, help="thins brute force out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        adapted, batches = subject(options, options.run or short_run(Path(folder) / "run"))
    asked = range(0, adapted.layout.n_triplets, options.every)
    taken: dict[str, list[np.ndarray]] = {"brute force": [], "oracle": []}
    apart = []
    for number, batch in enumerate(batches):
        ways = {
            "brute force": lambda b=batch: brute_force(adapted, b, asked),
            "oracle": lambda b=batch: ablate_each(adapted.model, adapted.layout, b).loss[asked],
        }
        names = [*ways][:: 1 if number % 2 else -1]
        losses = {}
        for name in names:
            began = np.array([time.perf_counter(), time.process_time()])
            losses[name] = ways[name]()
            taken[name].append(np.array([time.perf_counter(), time.process_time()]) - began)
        apart.append(np.abs(losses["brute force"] - losses["oracle"]).max())
        print(f"batch {number + 1} of {len(batches)}, {shape(batch)}", flush=True)
    brute, ours = (np.sum(times, axis=0) for times in taken.values())
    brute *= adapted.layout.n_triplets / len(asked)
    print(f"{adapted.layout.n_triplets} triplets, {sum(len(b.examples) for b in batches)} examples")
    for name, (wall, cpu) in {"brute force": brute, "oracle": ours}.items():
        print(f"{name:12} {wall:8.1f} s   {cpu:8.1f} s of processors")
    wall, cpu = ours / brute
    print(f"ratio        {wall:8.3f}     {cpu:8.3f}     losses differ by at most {max(apart):.1e}")


def short_run(out: Path) -> Path:
    vilora = str(Path(sys.executable).with_name("vilora"))
    words = ["train", "--out", str(out), "--steps", "60", "--criterion", "none"]
    subprocess.run([vilora, *words], check=True, stdout=subprocess.DEVNULL)
    return out


def subject(options: argparse.Namespace, path: Path) -> tuple[Adapted, list[Batch]]:
    run = va.open_run(path)
    config = config_of(run, options.data_dir)
    task, splits = load_task(config)
    held_out = next(iter(splits.validation.values()))
    adapted = load_adapted(run, config, task)
    rows = np.random.default_rng(0).permutation(len(held_out))[: options.examples].tolist()
    return adapted, [*batches_of(adapted.encoder, task, held_out, rows, options.batch_size)]


def shape(batch: Batch) -> str:
    mask = batch.inputs["attention_mask"]
    return f"length {mask.shape[1]}, {1 - mask.float().mean():.0%} of it padding"


@torch.no_grad()
def brute_force(adapted: Adapted, batch: Batch, triplets: range) -> np.ndarray:
    model: Any = adapted.model
    losses = []
    for triplet in triplets:
        with without(model, adapted.layout, [triplet]):
            logits = model(**batch.inputs).logits.float()
        losses.append(functional.cross_entropy(logits, batch.labels, reduction="none"))
    return torch.stack(losses).cpu().numpy()


if __name__ == "__main__":
    main()
