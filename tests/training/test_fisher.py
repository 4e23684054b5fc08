"""Measuring along the training: not a bit of it changes, and what is measured is what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from vilora_analysis.errors import ConfigError
from vilora_analysis.log import open_run
from vilora_analysis.log.fisher import FisherFiles
from vilora_analysis.training import RunConfig, configure
from vilora_analysis.training import run as running
from vilora_analysis.training.fisher import fixed_examples
from vilora_analysis.training.run import train

SETTINGS: dict[str, Any] = {
    "task": "sst2",
    "steps": 12,
    "batch_size": 6,
    "init_rank": 3,
    "target_rank": 2,
    "max_length": 24,
    "checkpoint_every": 5,
    "lr": 20.0,
}


def trained(encoder: Path, glue: Path, out: Path, **settings: Any) -> Path:
    chosen = {**SETTINGS, "model": str(encoder), "data_dir": glue, "out": out, **settings}
    return train(configure(**chosen), progress=False).path


@pytest.fixture(scope="module")
def measured(
    dropout_encoder: Path, glue: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[torch.Tensor]]:
    """A run with dropout, and its random state at the end."""
    out = tmp_path_factory.mktemp("measured") / "run"
    path = trained(dropout_encoder, glue, out, fisher_every=4, fisher_examples=10)
    return path, [torch.get_rng_state()]


def test_the_training_is_the_same_to_the_bit(
    measured: tuple[Path, list[torch.Tensor]], dropout_encoder: Path, glue: Path, tmp_path: Path
) -> None:
    path, (random,) = measured
    plain = trained(dropout_encoder, glue, tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), random)
    first, second = open_run(path), open_run(plain)
    assert first.triplets().equals(second.triplets())
    drop = {"columns": "seconds"}
    assert first.metrics().drop(**drop).equals(second.metrics().drop(**drop))
    for name in ("adapter_model.safetensors", "posterior.safetensors"):
        ours = safetensors.torch.load_file(path / "adapter" / name)
        theirs = safetensors.torch.load_file(plain / "adapter" / name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    assert not FisherFiles(plain).paths()


def test_it_is_measured_where_it_is_due_the_end_included(
    measured: tuple[Path, list[torch.Tensor]],
) -> None:
    path, _ = measured
    frame, run = FisherFiles(path).read(), open_run(path)
    assert [p.name for p in FisherFiles(path).paths()] == [
        f"step-{step:06d}.parquet" for step in (4, 8, 12)
    ]
    assert set(frame["examples"]) == {10}
    assert set(frame["batch_size"]) == {6}
    rows = frame[(frame["step"] == 8) & (frame["factor"] == "B")].reset_index(drop=True)
    assert rows[["module", "k"]].astype({"k": "int64"}).equals(run.modules[["module", "k"]])
    assert (frame["fisher_example"] >= frame["mean_gradient_squared"]).all()
    mean = (frame["fisher_half_1"] + frame["fisher_half_2"]) / 2  # halves of five
    torch.testing.assert_close(
        torch.tensor(mean), torch.tensor(frame["fisher_example"]), rtol=1e-4, atol=1e-12
    )


def test_a_resumed_run_has_the_same_measurements(
    measured: tuple[Path, list[torch.Tensor]],
    dropout_encoder: Path,
    glue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record, calls = running.record_fisher, []

    def interrupted(*args: Any) -> None:
        calls.append(args[-1])
        if calls == [4, 8]:
            raise KeyboardInterrupt
        record(*args)

    monkeypatch.setattr(running, "record_fisher", interrupted)
    settings = {"fisher_every": 4, "fisher_examples": 10, "resume": True}
    with pytest.raises(KeyboardInterrupt):
        trained(dropout_encoder, glue, tmp_path / "run", **settings)
    path = trained(dropout_encoder, glue, tmp_path / "run", **settings)
    assert calls == [4, 8, 8, 12]  # it went on after the checkpoint of step 5
    assert FisherFiles(path).read().equals(FisherFiles(measured[0]).read())


def test_the_examples_are_fixed_and_drawn_once(encoder_path: Path, glue: Path) -> None:
    from vilora_analysis.training import TASKS
    from vilora_analysis.training.data import load_splits
    from vilora_analysis.training.models import load_pretrained

    task = TASKS["sst2"]
    encoder = load_pretrained(str(encoder_path), task, 24)
    frame = load_splits(task, glue).train

    def sentences(examples: int, seed: int) -> list[str]:
        batches = fixed_examples(encoder, task, frame, examples, 4, seed=seed)
        tokens = [ids for inputs, _ in batches for ids in inputs["input_ids"]]
        return sorted(encoder.tokenizer.decode(ids, skip_special_tokens=True) for ids in tokens)

    state = torch.get_rng_state()
    assert sentences(9, 0) == sentences(9, 0)
    assert sentences(9, 0) != sentences(9, 1)
    assert sentences(1000, 0) == sorted(frame["sentence"].tolist())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fisher_every": -1}, "fisher_every = -1: must not be negative"),
        ({"fisher_every": 5, "fisher_examples": 3}, "fisher_examples = 3: must be at least 4"),
        ({"fisher_every": 5, "record_every": 2}, "5 is no multiple of record_every 2"),
        ({"fisher_every": 5, "method": "full_ft", "criterion": "none"}, "needs an adapter"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunConfig(**settings)
