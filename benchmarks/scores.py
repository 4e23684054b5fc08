"""What each group of scores costs at a recorded step.

    python benchmarks/scores.py --rank 6

The adapter is that of the bundled encoder's shape (6 layers of 6 matrices, hidden 384) or, with
`--shape deberta`, of DeBERTa-v3-base's (12 layers of 6, hidden 768), with a made-up posterior that
covers |mu|/sigma from 0 to 100. Groups are timed in turn, over and over, by processor time: the
median says what one recorded step pays for its scores, besides the columns of inputs (mu, sigma,
grad, hess, fisher_batch), which are recorded always. What is copied out of the optimizer before is
the first row, and the only part that the training thread does itself.
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
import transformers

from vilora_analysis.posterior import Snapshot, take_snapshot
from vilora_analysis.recording.choice import available_scores, recorded_inputs
from vilora_analysis.recording.columns import triplet_values
from vilora_analysis.scores import Smoothing, family, get, requirements
from vilora_analysis.triplets import Binding, TripletLayout

SHAPES = {"bundled": (6, 384, 1536), "deberta": (12, 768, 3072)}
PUBLISHED = ("mean_abs", "inverse_std", "snr", "snr_abs", "expected_abs")


def adapted(shape: str, rank: int) -> Any:
    layers, hidden, inner = SHAPES[shape]
    config = transformers.BertConfig(
        vocab_size=100,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
    )
    settings = peft.AdaLoraConfig(
        init_r=rank,
        target_r=max(1, rank - 1),
        total_step=100,
        tinit=1,
        tfinal=1,
        target_modules=["query", "key", "value", "dense"],
    )
    return peft.get_peft_model(transformers.BertModel(config), settings)


def made_up(optimizer: Any, parameters: list[Any]) -> None:
    """Fill parameters, gradients and Hessian with numbers of every size."""
    generator = torch.Generator().manual_seed(0)
    for parameter in parameters:
        parameter.data = torch.randn(parameter.shape, generator=generator) * 1e-2
        parameter.grad = torch.randn(parameter.shape, generator=generator) * 1e-3
    for group in optimizer.param_groups:
        hess = torch.rand(group["hess"].shape, generator=generator)
        group["hess"] = 10 ** (6 * hess - 3)


class Step:
    """One step of a recording, taken apart."""

    def __init__(self, shape: str, rank: int) -> None:
        model = adapted(shape, rank)
        parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = ivon.IVON(parameters, lr=0.1, ess=1e6)
        made_up(self.optimizer, parameters)
        layout = TripletLayout.from_model(model)
        self.binding = Binding.create(layout, model, self.optimizer)
        self.buffers = self.binding.buffers()
        self.inputs = recorded_inputs(self.optimizer)
        self.names = available_scores(self.optimizer, layout.factors)
        self.needs = {*self.inputs, *requirements(self.names)}

    def copied(self) -> Snapshot:
        return take_snapshot(self.binding, 1, needs=self.needs, buffers=self.buffers)

    def snapshot(self) -> Snapshot:
        taken = self.copied()
        smoothing = Smoothing.for_inputs(self.needs)
        for _ in range(2):
            smoothing = smoothing.update(taken.inputs["mu"], taken.inputs["grad"])
        return Snapshot(1, taken.layout, {**taken.inputs, **smoothing.values})


def groups_of(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    default = family("default")
    elements = [name for name in names if get(name).level == "element"]
    groups = {
        "of the posterior (VILoRA)": PUBLISHED,
        "of the sensitivity (AdaLoRA)": tuple(n for n in default if n.startswith("sensitivity")),
        "wider, of elements": tuple(n for n in elements if n in family("all") and n not in default),
        "of whole triplets": tuple(n for n in family("all") if get(n).level == "triplet"),
        "bridge": family("bridge"),
    }
    return {label: tuple(n for n in group if n in names) for label, group in groups.items()}


def run(options: argparse.Namespace) -> dict[str, Any]:
    step = Step(options.shape, options.rank)
    snapshot = step.snapshot()
    works: dict[str, Callable[[], object]] = {
        "copied from the optimizer": step.copied,
        "columns of inputs": lambda: triplet_values(snapshot, step.inputs, ()),
    }
    groups = groups_of(step.names)
    for label, names in groups.items():
        works[label] = lambda names=names: triplet_values(snapshot, (), names)
    works["all of these scores"] = lambda: triplet_values(snapshot, step.inputs, step.names)
    seconds: dict[str, list[float]] = {label: [] for label in works}
    for _ in range(options.rounds + 2):
        for label, work in works.items():
            started = time.thread_time()
            work()
            seconds[label].append(time.thread_time() - started)
    medians = {label: statistics.median(taken[2:]) for label, taken in seconds.items()}
    return {
        "elements": snapshot.layout.n_elements,
        "triplets": snapshot.layout.n_triplets,
        "ms": {label: round(1e3 * value, 2) for label, value in medians.items()},
        "scores": {label: len(names) for label, names in groups.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="bundled")
    parser.add_argument("--rank", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(json.dumps(run(options), indent=1))


if __name__ == "__main__":
    main()
