"""Small real models that all torch tests share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ivon
import peft
import pytest
import torch
import transformers

pytest_plugins = ["tests.tiny_data"]

ADALORA = {"init_r": 3, "target_r": 2, "tinit": 5, "tfinal": 5, "deltaT": 1, "total_step": 30}


def tiny_bert(seed: int = 0, *, layers: int = 2, dropout: float = 0.0) -> torch.nn.Module:
    """A BERT of random weights: 6 matrices a layer and the pooler's."""
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=60,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=32,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        num_labels=2,
    )
    return transformers.BertForSequenceClassification(config)


def adalora(model: torch.nn.Module, **overrides: object) -> peft.PeftModel:
    """Wrap with AdaLoRA on all linear layers."""
    settings = {**ADALORA, "lora_alpha": 8, "target_modules": "all-linear", **overrides}
    return _wrap(model, peft.AdaLoraConfig(task_type="SEQ_CLS", **settings))


def lora(model: torch.nn.Module, rank: int = 3) -> peft.PeftModel:
    """Wrap with LoRA on all linear layers."""
    config = peft.LoraConfig(task_type="SEQ_CLS", r=rank, target_modules="all-linear")
    return _wrap(model, config)


def _wrap(model: torch.nn.Module, config: peft.PeftConfig) -> peft.PeftModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between transformers and peft
        return peft.get_peft_model(model, config)


@contextmanager
def pefts_noise() -> Iterator[None]:
    with warnings.catch_warnings():
        # PEFT reads an AdaLoRA pattern as one of LoRA's and finds no module of that name
        warnings.filterwarnings("ignore", message=".*rank_pattern keys did not match")
        warnings.simplefilter("ignore", FutureWarning)
        yield


def load_adapter(base: torch.nn.Module, folder: Path | str, **options: object) -> peft.PeftModel:
    """Load a saved adapter as anybody would, by plain PEFT."""
    with pefts_noise():
        return peft.PeftModel.from_pretrained(base, folder, **options)


def trainable(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def ivon_for(parameters: object, **overrides: object) -> ivon.IVON:
    settings = {"lr": 0.5, "ess": 500.0, "hess_init": 0.3, "beta2": 0.99, "weight_decay": 1e-4}
    return ivon.IVON(parameters, **{**settings, **overrides})


def batches(count: int, seed: int = 1, size: int = 4) -> Iterator[dict[str, torch.Tensor]]:
    """Random sentences with a label that depends on their first word."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        ids = torch.randint(1, 60, (size, 7), generator=generator)
        yield {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "labels": (ids[:, 0] > 30).long(),
        }


def value_of(parameter: torch.nn.Parameter) -> torch.Tensor:
    return parameter.detach().clone()


@pytest.fixture
def model() -> peft.PeftModel:
    return adalora(tiny_bert())


@pytest.fixture
def memory() -> Iterator[str]:
    """URL of a folder in fsspec's memory, which is empty again afterwards."""
    files = pytest.importorskip("fsspec").filesystem("memory")
    yield "memory://runs"
    files.store.clear()
    files.pseudo_dirs[:] = [""]
