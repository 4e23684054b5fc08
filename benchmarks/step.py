"""A whole training step: AdaLoRA with IVON and snr here, against PEFT's with AdamW and sensitivity.

    python benchmarks/step.py --hidden 64 --inner 256 --batch-size 8 --length 16

A DeBERTa-v2 of random weights, 12 layers of 6 adapted matrices, trains on random tokens. Copies of
it take one step each in turn, so that whatever else the machine does falls on all of them alike:

- ``peft``: PEFT's allocator and penalty, AdamW.
- ``ours``: snr, IVON, the stacked penalty.
- ``ours, recorded``: the same, with the default scores written at every step.
- ``ours, PEFT's penalty``: what the stacked penalty gives.

At a small width dispatching costs more than arithmetic, on a processor and more so on an
accelerator. ``ratio`` is how many times PEFT's step is slower, taken step by step, as quartiles.
The split is in milliseconds; the penalty is part of forward and backward.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ivon
import peft
import torch
import transformers
from counting import counted

from vilora_analysis.posterior import sampled_parameters
from vilora_analysis.recording import instrument
from vilora_analysis.training.orthogonality import stacked_penalty

MATRICES = (
    r".*layer\.\d+\.(attention\.self\.(query|key|value)_proj"
    r"|attention\.output\.dense|intermediate\.dense|output\.dense)"
)


def adapted(options: argparse.Namespace, steps: int) -> Any:
    torch.manual_seed(0)
    config = transformers.DebertaV2Config(
        vocab_size=1000,
        hidden_size=options.hidden,
        intermediate_size=options.inner,
        num_hidden_layers=options.layers,
        num_attention_heads=max(1, options.hidden // 64),
        max_position_embeddings=512,
        num_labels=2,
    )
    model = transformers.DebertaV2ForSequenceClassification(config)
    settings = peft.AdaLoraConfig(
        task_type="SEQ_CLS",
        init_r=options.rank,
        target_r=max(1, options.rank * 2 // 3),
        tinit=0,
        tfinal=1,
        total_step=steps,
        deltaT=1,
        lora_alpha=32,
        target_modules=MATRICES,
    )
    return peft.get_peft_model(model, settings).to(options.device).train()


class Trained:
    """One copy of the model, trained in one way."""

    def __init__(
        self,
        options: argparse.Namespace,
        held: ExitStack,
        *,
        pefts: bool = False,
        stacked: bool = True,
        out: Path | None = None,
    ) -> None:
        self.model = adapted(options, 10**6)
        self.device = torch.device(options.device)
        self.pefts, self.taken = pefts, 0
        self.split: dict[str, list[float]] = defaultdict(list)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        if pefts:
            self.optimizer: Any = torch.optim.AdamW(parameters, lr=1e-3)
            return
        self.optimizer = ivon.IVON(parameters, lr=0.1, ess=1e6, clip_radius=1e-3)
        recording = instrument(self.model, self.optimizer, out, criterion="snr")
        held.callback(recording.close, failed=True)  # it ends before the schedule does
        recording._triplets.after = self._timed(recording._triplets.after)
        if stacked:
            held.enter_context(stacked_penalty(self.model))

    def step(self, batch: dict[str, torch.Tensor]) -> None:
        self.taken += 1
        with self._part("step"):
            with self._part("sampling"), sampled_parameters(self.optimizer):
                with self._part("forward"):
                    loss = self.model(**batch).loss
                with self._part("backward"):
                    loss.backward()
            with self._part("optimizer"):
                self.optimizer.step()
            if self.pefts:
                with self._part("allocation, recording"):
                    self.model.base_model.update_and_allocate(self.taken)
            self.optimizer.zero_grad()

    def _timed(self, work: Any) -> Any:
        def timed(step: int) -> None:
            with self._part("allocation, recording"):
                work(step)

        return timed

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        self._wait()
        started = time.perf_counter()
        yield
        self._wait()
        self.split[name].append(time.perf_counter() - started)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def parts(self, warm_up: int) -> dict[str, float]:
        """Medians in milliseconds, of parts that do not hold each other."""
        got = {name: statistics.median(s[warm_up:]) * 1e3 for name, s in self.split.items()}
        got["sampling"] -= got["forward"] + got["backward"]
        if not self.pefts:
            got["optimizer"] -= got["allocation, recording"]
        return {name: round(value, 2) for name, value in got.items()}


def batch_of(options: argparse.Namespace, step: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    ids = torch.randint(1, 1000, (options.batch_size, options.length), generator=generator)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids[:, 0] % 2}
    return {name: value.to(options.device) for name, value in batch.items()}


def run(options: argparse.Namespace, warm_up: int = 3) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        copies = {
            "peft": Trained(options, held, pefts=True),
            "ours": Trained(options, held),
            "ours, recorded": Trained(options, held, out=Path(folder) / "run"),
            "ours, PEFT's penalty": Trained(options, held, stacked=False),
        }
        for step in range(options.steps + warm_up):
            batch = batch_of(options, step)
            for trained in copies.values():
                trained.step(batch)
        base = copies["peft"].split["step"][warm_up:]
        table = {}
        for name, trained in copies.items():
            own = trained.split["step"][warm_up:]
            quartiles = statistics.quantiles([a / b for a, b in zip(base, own, strict=True)], n=4)
            ratio = [round(value, 2) for value in quartiles]
            table[name] = {"ratio": ratio, "ms": trained.parts(warm_up)}
        for name, trained in copies.items():
            table[name]["operations"] = counted(lambda trained=trained: trained.step(batch))
        return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--inner", type=int, default=256)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--rank", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", FutureWarning)  # between transformers and peft
    print(json.dumps(run(options), indent=1))


if __name__ == "__main__":
    main()
