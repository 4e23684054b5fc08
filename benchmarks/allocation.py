"""What an allocation costs: ours against PEFT's RankAllocator, interleaved in one process.

    python benchmarks/allocation.py --rank 3

The shape is DeBERTa-v3-base's, 12 layers of 6 matrices, hidden 768, FFN 3072. Each allocates once
in turn: PEFT's ``update_and_allocate`` as a training loop calls it, and everything that happens
here between the optimizer's step and the next batch (snapshot, smoothing, score, threshold, mask).
``ratio`` is how many times PEFT's is slower, taken turn by turn, as a median with quartiles; by
wall clock and by the processor's own time, which other processes on the machine disturb less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import ivon
import peft
import torch
from counting import counted
from torch import nn

from vilora_analysis.recording import instrument

CRITERIA = ("snr", "sensitivity")
INTERVAL = 10


class Layer(nn.Module):
    """One layer's six."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        for name in ("query_proj", "key_proj", "value_proj", "dense"):
            self.add_module(name, nn.Linear(hidden, hidden, bias=False))
        self.intermediate = nn.Linear(hidden, inner, bias=False)
        self.output = nn.Linear(inner, hidden, bias=False)


class Matrices(nn.Module):
    """Nothing but the matrices that are adapted: no forward pass is needed here."""

    def __init__(self, hidden: int, inner: int, layers: int) -> None:
        super().__init__()
        self.config = {"model_type": "custom"}
        self.layers = nn.ModuleList(Layer(hidden, inner) for _ in range(layers))


def adapted(options: argparse.Namespace, every: int) -> tuple[Any, list[nn.Parameter]]:
    """The model, with values and gradients as if it were in the middle of training."""
    torch.manual_seed(0)
    config = peft.AdaLoraConfig(
        init_r=options.rank,
        target_r=max(1, options.rank * 2 // 3),
        tinit=0,
        tfinal=1,
        total_step=10**6,
        deltaT=every,
        lora_alpha=32,
        target_modules="all-linear",
    )
    model = peft.get_peft_model(Matrices(options.hidden, options.inner, options.layers), config)
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.data = 0.02 * torch.randn_like(parameter)
        parameter.grad = torch.randn_like(parameter)
    return model, parameters


def pefts(options: argparse.Namespace, every: int) -> Callable[[int], None]:
    model, _ = adapted(options, every)
    return model.base_model.update_and_allocate


def ours(options: argparse.Namespace, criterion: str, every: int) -> Callable[[int], None]:
    model, parameters = adapted(options, every)
    optimizer = ivon.IVON(parameters, lr=0.1, ess=1e6)
    with optimizer.sampled_params(train=True):
        pass
    steps = instrument(model, optimizer, criterion=criterion)._triplets

    def allocate(step: int) -> None:
        steps.before(optimizer, step - 1)
        steps.after(step)

    return allocate


def measured(work: Callable[[int], None], first: int, turns: int) -> tuple[float, float]:
    wall, own = time.perf_counter(), time.process_time()
    for step in range(first, first + turns):
        work(step)
    return time.perf_counter() - wall, time.process_time() - own


def compared(options: argparse.Namespace, every: int) -> dict[str, Any]:
    works = {"peft": pefts(options, every)}
    works |= {name: ours(options, name, every) for name in CRITERIA}
    for work in works.values():
        measured(work, 1, INTERVAL)
    operations = {
        name: counted(lambda work=work: work(2 * INTERVAL)) for name, work in works.items()
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for turn in range(options.turns):
        for name, work in works.items():
            times[name].append(measured(work, (3 + turn) * INTERVAL + (every == 1), every))
    return {
        name: {
            "operations": operations[name],
            "ms": round(1e3 * statistics.median(wall for wall, _ in seconds) / every, 3),
            "ratio": ratios(times["peft"], seconds, 0),
            "ratio_processor": ratios(times["peft"], seconds, 1),
        }
        for name, seconds in times.items()
    }


def ratios(base: list[tuple[float, float]], own: list[tuple[float, float]], kind: int) -> Any:
    found = [a[kind] / b[kind] for a, b in zip(base, own, strict=True)]
    return [round(quartile, 2) for quartile in statistics.quantiles(found, n=4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rank", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--inner", type=int, default=3072)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = {
        "every step": compared(options, 1),
        f"an interval of {INTERVAL}": compared(options, INTERVAL),
    }
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
