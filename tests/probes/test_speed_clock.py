"""Each part of a step gets the time that it takes, by a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import peft
import pytest
import torch

from tests.conftest import adalora, batches, tiny_bert
from vilora_analysis.probes.speed import SpeedQuestion, Variant
from vilora_analysis.probes.speed.measure import _rounds
from vilora_analysis.probes.speed.replica import Replica
from vilora_analysis.probes.speed.stopwatch import Stopwatch
from vilora_analysis.probes.speed.variants import CORE

PUBLISHED = CORE[0]


class Hand:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def turns(self, seconds: float, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which takes so long."""

        def slow(*args: Any, **kwargs: Any) -> Any:
            self.now += seconds
            return function(*args, **kwargs)

        return slow


class _Idle:
    """In the place of a replica; its loss says whether it was told to read the clock at seams."""

    variant = PUBLISHED

    def step(self, batch: Any, *, seams: bool) -> dict[str, float]:
        return {"seconds": 1.0, "loss": float(not seams)}


class _Late(torch.autograd.Function):
    """Nothing, whose gradient takes 3 seconds."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, hand: Hand) -> torch.Tensor:
        ctx.hand = hand
        return 0.0 * value.sum()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        ctx.hand.now += 3
        return None, None


def slow_replica(hand: Hand, variant: Variant, out: Path) -> Replica:
    """A replica each of whose parts takes a time of its own."""
    model = adalora(tiny_bert(), deltaT=1, tinit=0)
    inner, outer = model.base_model.model, model.base_model
    inner.forward = hand.turns(5, inner.forward)
    value = next(p for name, p in model.named_parameters() if "lora_E" in name)
    value.register_hook(lambda _: setattr(hand, "now", hand.now + 7))
    penalised = outer.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        outputs = penalised(*args, **kwargs)
        outputs.loss = outputs.loss + _Late.apply(value, hand)
        hand.now += 2
        return outputs

    outer.forward = forward
    config = SpeedQuestion().config(variant, 30)
    made = Replica(variant, config, model, 100, out, Stopwatch(hand, lambda: None))
    made.optimizer.zero_grad = hand.turns(19, made.optimizer.zero_grad)
    if variant.optimizer == "ivon":
        made.optimizer._update = hand.turns(11, made.optimizer._update)
    if made.recording is not None:
        allocator: Any = made.recording.allocator
        allocator.update_and_allocate = hand.turns(13, allocator.update_and_allocate)
        writer: Any = made.recording._writer
        writer.triplets = hand.turns(17, writer.triplets)
    else:
        outer.rankallocator.mask_to_budget = hand.turns(13, outer.rankallocator.mask_to_budget)
    return made


@pytest.mark.filterwarnings("ignore:the run ended after step")
@pytest.mark.parametrize("seams", [True, False])
def test_each_part_gets_the_time_that_it_takes(tmp_path: Path, seams: bool) -> None:
    hand = Hand()
    recorded = slow_replica(hand, Variant("ivon", "snr", record_every=1), tmp_path / "run")
    (batch,) = batches(1)
    row = recorded.step(batch, seams=seams)
    recorded.close()
    times = {"forward": 5, "backward": 7, "penalty": 5, "update": 11, "allocation": 13}
    times |= {"recording": 17, "rest": 19}
    assert row["seconds"] == sum(times.values())
    laps = {name.removeprefix("seconds."): s for name, s in row.items() if "seconds." in name}
    assert laps == (times if seams else {})


def test_pefts_allocator_is_pefts_own_class_and_its_time_is_allocation(tmp_path: Path) -> None:
    published = slow_replica(Hand(), PUBLISHED, tmp_path)
    assert type(published.model.base_model.rankallocator) is peft.tuners.adalora.RankAllocator
    assert isinstance(published.optimizer, torch.optim.AdamW)
    row = published.step(next(batches(1)), seams=True)
    times = {"seconds.forward": 5, "seconds.backward": 7, "seconds.penalty": 5}
    times |= {"seconds.update": 0, "seconds.allocation": 13, "seconds.recording": 0}
    assert {name: row[name] for name in times} == times


def test_on_an_accelerator_the_watch_waits_and_as_many_steps_again_are_taken() -> None:
    waited: list[float] = []
    hand = Hand()
    watch = Stopwatch(hand, lambda: waited.append(hand.now))
    watch.start(seams=False)
    hand.now = 1.0
    watch.lap("forward")
    assert watch.stop() == 1.0
    assert waited == [0.0, 1.0]  # at the ends, and at no seam
    watch.start(seams=True)
    hand.now = 3.0
    watch.lap("forward")
    assert watch.laps["forward"] == watch.stop() == 2.0
    question = SpeedQuestion(steps=40, warm_up=5)
    rounds = question.rounds(accelerator=True)
    assert rounds == 5 + 40 + 40 + 1
    given = iter([{}] * rounds)
    frame = pd.DataFrame(_rounds(question, [_Idle()] * 2, given, rounds, progress=False))
    assert frame["step"].tolist() == [step for step in range(6, 86) for _ in range(2)]
    assert (frame["seams"] == (frame["step"] > 45)).all()
    assert frame["loss"].tolist() == (~frame["seams"]).astype(float).tolist()
    assert frame["seconds.forward"].isna().all()
