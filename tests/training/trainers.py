"""Trainers of a tiny model that a callback drives, ready to be started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable


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
        eval_dataset=Rows(6),
        optimizers=(optimizer, constant),
        callbacks=[callback],
    )


def trained(folder: Path, *, out: bool = False, **overrides: Any) -> tuple[Any, Any]:
    model = adalora(tiny_bert(dropout=overrides.pop("dropout", 0.0)))
    optimizer = ivon_for(trainable(model))
    callback = va.VILoRACallback(folder / "run" if out else None)
    trainer(model, optimizer, callback, folder / "out", **overrides).train()
    return model, optimizer


def mean_weights(model: Any) -> dict[str, torch.Tensor]:
    return {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
