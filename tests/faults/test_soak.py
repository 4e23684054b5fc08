"""A very long run: memory and open files stay, and no step gets slower.

The short version makes sure that it can be measured; ``make soak`` measures what 100,000
recorded steps need. ``-s`` shows it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import peft
import pytest
import scipy.stats
import torch

import vilora_analysis as va
from tests.conftest import ivon_for, trainable
from tests.faults.soak import SOAK, count
from vilora_analysis.log import check_run, open_run

STEPS = count(300, 100_000)
SAMPLES = 100
BYTES_PER_STEP = 20.0
PAGE = os.sysconf("SC_PAGE_SIZE")


class TwoMatrices(torch.nn.Module):
    """The smallest model that has more than one adapted matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(6, 5), torch.nn.Linear(5, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(inputs)))


@dataclass(frozen=True)
class Sample:
    """What the process has in hand after so many steps, and the processor's seconds so far.

    Those of all its threads: what else the machine does meanwhile does not count.
    """

    step: int
    seconds: float
    resident: int
    handles: int


def sample(step: int) -> Sample:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    return Sample(step, time.process_time(), resident, len(os.listdir("/proc/self/fd")))


def recorded_run(out: Path) -> Iterator[Sample]:
    """Train and record every step, as somebody's own loop does."""
    torch.manual_seed(0)
    config = peft.AdaLoraConfig(
        init_r=2,
        target_r=1,
        tinit=STEPS // 10,
        tfinal=STEPS // 10,
        deltaT=10,
        total_step=STEPS,
        target_modules=["first", "second"],
    )
    model = peft.get_peft_model(TwoMatrices(), config)
    optimizer = ivon_for(trainable(model), lr=0.05)
    inputs, targets = torch.randn(8, 6), torch.randn(8, 3)
    with va.instrument(
        model, optimizer, out, criterion="snr", scores=["snr"], flush_seconds=0.5
    ) as recording:
        for step in range(1, STEPS + 1):
            with va.sampled_parameters(optimizer):
                loss = (model(inputs) - targets).square().mean()
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            recording.log(loss=loss.item())
            if step % max(1, STEPS // SAMPLES) == 0:
                yield sample(step)


def slope(samples: list[Sample]) -> float:
    """Bytes a step over the second half, by Theil and Sen: a few odd samples do not matter."""
    half = samples[len(samples) // 2 :]
    fitted = scipy.stats.theilslopes([s.resident for s in half], [s.step for s in half])
    return float(fitted.slope)


def speeds(samples: list[Sample]) -> tuple[float, float]:
    """Steps a second of the processor's, of the first and of the last tenth."""
    tenth = len(samples) // 10
    rates = [
        (b.step - a.step) / (b.seconds - a.seconds)
        for a, b in ((samples[0], samples[tenth]), (samples[-tenth - 1], samples[-1]))
    ]
    return rates[0], rates[1]


def test_a_long_run_needs_no_more_as_it_goes_on(tmp_path: Path) -> None:
    samples = list(recorded_run(tmp_path / "run"))
    handles = {s.handles for s in samples[len(samples) // 10 :]}
    first, last = speeds(samples)
    print(
        f"{STEPS} steps: {slope(samples):.2f} bytes a step, {samples[-1].resident / 2**20:.0f} MB "
        f"(at the first sample {samples[0].resident / 2**20:.0f}); {sorted(handles)} open files; "
        f"{first:.0f} steps/s at first, {last:.0f} at last"
    )
    assert max(handles) - min(handles) <= 2  # a part that is just being written, and its folder
    if SOAK:
        assert slope(samples) < BYTES_PER_STEP
        assert last > 0.7 * first
    assert check_run(tmp_path / "run") == []
    run = open_run(tmp_path / "run")
    steps = run.triplets(["step"])["step"].to_numpy()
    assert (steps == np.repeat(np.arange(1, STEPS + 1), 4)).all()
    assert len(run.metrics()) == STEPS


@pytest.mark.parametrize(("leak", "expected"), [(0, 0), (50, 50)])
def test_the_slope_is_that_of_the_leak(leak: int, expected: float) -> None:
    noise = np.random.default_rng(0).choice([0, 0, 0, 10**7], SAMPLES)
    samples = [
        Sample(step, float(step), 10**8 + leak * step + int(noise[step]), 9)
        for step in range(SAMPLES)
    ]
    assert slope(samples) == pytest.approx(expected)
    assert speeds(samples) == pytest.approx((1, 1))
