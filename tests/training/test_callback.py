"""One line in a Trainer script: IVON is driven, triplets are pruned, every step is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from vilora_analysis.errors import LayoutError
from vilora_analysis.log import check_run


class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, count: int) -> None:
        self.rows = [
            {key: value[0] for key, value in batch.items()} for batch in batches(count, size=1)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return self.rows[index]


def trainer(model: Any, optimizer: Any, callback: Any, folder: Path, **overrides: Any) -> Any:
    settings: dict[str, Any] = {
        "max_steps": 30,
        "per_device_train_batch_size": 4,
        "logging_steps": 10,
        "report_to": [],
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
        "max_grad_norm": 0.0,
        "seed": 5,
    }
    arguments = transformers.TrainingArguments(output_dir=str(folder), **settings | overrides)
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    return transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=Rows(40),
        optimizers=(optimizer, constant),
        callbacks=[callback],
    )


@pytest.mark.parametrize("accumulation", [1, 2])
def test_ivon_is_driven_pruned_and_recorded(tmp_path: Path, accumulation: int) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    callback = va.VILoRACallback(tmp_path / "run", criterion="snr")
    trainer(
        model, optimizer, callback, tmp_path / "out", gradient_accumulation_steps=accumulation
    ).train()
    run = va.open_run(tmp_path / "run")
    assert optimizer.current_step == 30
    assert run.steps.tolist() == list(range(1, 31))
    assert run.triplets(["kept"], -1)["kept"].sum() == 26
    assert run.metrics()["loss"].count() == 3
    assert run.manifest.status == "finished"
    assert check_run(run.path) == []


def with_fixed_noise(optimizer: Any) -> Any:
    """Seed before each draw, so that it does not matter what else drew random numbers."""
    draw, count = optimizer._sample_params, iter(range(10**6))

    def seeded() -> Any:
        torch.manual_seed(next(count))
        return draw()

    optimizer._sample_params = seeded
    return optimizer


def test_the_trainer_does_what_a_hand_written_loop_does(tmp_path: Path) -> None:
    """Same batches, same noise: the weights agree to the last bit."""
    model = adalora(tiny_bert())
    optimizer = with_fixed_noise(ivon_for(trainable(model)))
    seen: list[dict[str, torch.Tensor]] = []
    model.register_forward_pre_hook(
        lambda _, __, kwargs: seen.append({k: v.clone() for k, v in kwargs.items()}),
        with_kwargs=True,
    )
    callback = va.VILoRACallback(criterion="snr")
    trainer(model, optimizer, callback, tmp_path / "out").train()
    assert len(seen) == 30

    twin = adalora(tiny_bert())
    twin_optimizer = with_fixed_noise(ivon_for(trainable(twin)))
    with va.instrument(twin, twin_optimizer, criterion="snr"):
        for batch in seen:
            with va.sampled_parameters(twin_optimizer):
                twin(**batch).loss.backward()
            twin_optimizer.step()
            twin_optimizer.zero_grad()
    theirs = dict(twin.named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, theirs[name]), name


def test_a_failing_setup_is_said_before_training(tmp_path: Path) -> None:
    model = tiny_bert()
    optimizer = ivon_for(trainable(model))
    with pytest.raises(LayoutError, match="no trainable LoRA or AdaLoRA"):
        trainer(model, optimizer, va.VILoRACallback(tmp_path / "run"), tmp_path / "out").train()


def test_adamw_is_observed_without_sampling(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    optimizer = torch.optim.AdamW(trainable(model), lr=1e-3)
    callback = va.VILoRACallback(tmp_path / "run")
    trainer(model, optimizer, callback, tmp_path / "out").train()
    run = va.open_run(tmp_path / "run")
    assert "score.sensitivity" in run.columns
    assert "score.snr" not in run.columns
