"""Recording inside the Trainer must not change the training by one bit either."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, ivon_for, lora, tiny_bert, trainable
from tests.recording.test_bit_identity import adamw, state_of
from tests.training.trainers import trainer
from vilora_analysis.log import check_run

STEPS = 8
SCHEDULE = {"tinit": 2, "tfinal": 2, "total_step": STEPS}


@pytest.fixture(scope="module", autouse=True)
def _little_to_collect() -> Iterator[None]:
    """Each training begins by collecting garbage, which walks through all that is imported."""
    gc.freeze()
    yield
    gc.unfreeze()


class DrawsIvon(transformers.TrainerCallback):  # type: ignore[misc]
    """What a script does by hand that neither prunes nor records."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.drawn = va.sampled_parameters(kwargs["optimizer"])
        self.drawn.__enter__()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.drawn.__exit__(None, None, None)


def after(
    wrap: Any, make: Any, callback: Any, dropout: float, folder: Path
) -> Iterator[torch.Tensor]:
    """Weights, everything the optimizer keeps, and where the random numbers are."""
    bert = tiny_bert(layers=1, dropout=dropout)
    model = wrap(bert, **SCHEDULE) if wrap is adalora else wrap(bert)
    optimizer = make(trainable(model))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*nothing was ever pruned")
        trainer(model, optimizer, callback, folder, max_steps=STEPS, logging_steps=2).train()
    yield torch.get_rng_state()
    yield from (parameter.detach() for parameter in model.parameters())
    yield from state_of(optimizer)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("make", [ivon_for, adamw])
@pytest.mark.parametrize(("wrap", "pruned"), [(adalora, True), (adalora, False), (lora, False)])
def test_weights_optimizer_and_random_state_are_the_same(
    tmp_path: Path, wrap: Any, make: Any, dropout: float, pruned: bool
) -> None:
    """With a criterion both runs prune and one records; without, one knows nothing of us."""
    criterion = "mean_abs" if pruned else None
    records = va.VILoRACallback(tmp_path / "run", criterion=criterion, elements_every=3)
    silent = va.VILoRACallback(criterion=criterion) if pruned else DrawsIvon()
    first = [*after(wrap, make, records, dropout, tmp_path / "first")]
    second = [*after(wrap, make, silent, dropout, tmp_path / "second")]
    assert len(first) == len(second) > len(list(tiny_bert(layers=1).parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    run = va.open_run(tmp_path / "run")
    assert run.steps.tolist() == list(range(1, STEPS + 1))
    assert check_run(run.path) == []
    if pruned:
        kept = run.triplets(["kept"], -1)["kept"]
        assert 0 < kept.sum() < len(kept)


@pytest.mark.parametrize("make", [ivon_for, adamw])
def test_the_comparison_sees_one_random_number(tmp_path: Path, make: Any) -> None:
    """A callback that draws a single one between two steps is found out, where dropout draws."""

    class Draws(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 2:
                torch.rand(1)

    class Both(DrawsIvon, Draws):
        pass

    first, second = (
        [*after(lora, make, callback, 0.1, tmp_path / "out")] for callback in (Both(), DrawsIvon())
    )
    assert not all(torch.equal(a, b) for a, b in zip(first[1:], second[1:], strict=True))


def test_two_runs_with_one_seed_are_the_same(tmp_path: Path) -> None:
    callbacks = [va.VILoRACallback(tmp_path / name) for name in "ab"]
    first, second = ([*after(adalora, ivon_for, c, 0.1, tmp_path / "out")] for c in callbacks)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    logs = [va.open_run(tmp_path / name) for name in "ab"]
    assert logs[0].triplets().equals(logs[1].triplets())
    assert logs[0].events().equals(logs[1].events())
