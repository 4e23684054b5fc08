"""The published settings cell by cell, against the paper's own table of them; how they shrink."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilora_analysis import scores
from vilora_analysis.errors import ConfigError
from vilora_analysis.training import TASKS, configure
from vilora_analysis.training.optimizers import learning_rate

# folder with the paper's tables, where one has them; the facts are in the package
PUBLISHED = Path(os.environ.get("VILORA_PAPER_TABLES", "nowhere")) / "hyperparameters.csv"
GLUE = [name for name in TASKS if name != "acceptability"]

# what the published scripts call it -> our field
NAMES = {
    "init_rank": "init_rank",
    "lora_alpha": "alpha",
    "tinit": "tinit",
    "tfinal": "tfinal",
    "delta_t": "allocate_every",
    "orth_reg_weight": "orth_reg_weight",
    "max_length": "max_length",
    "batch_size": "batch_size",
    "eval_steps": "eval_every",
    "warmup_steps": "warmup_steps",
    "learning_rate": "lr",
    "first_learning_rate": "first_lr",
    "first_steps": "first_steps",
}


def published_rows() -> list[dict[str, str]]:
    if not PUBLISHED.exists():
        pytest.skip("VILORA_PAPER_TABLES names no folder with hyperparameters.csv")
    return list(csv.DictReader(PUBLISHED.read_text().splitlines()))


def test_every_published_cell_is_what_the_paper_says() -> None:
    rows = published_rows()
    assert len(rows) == 88
    for row in rows:
        system = {"task": row["task"], "method": row["method"]}
        system["optimizer"] = {"adam": "adamw"}.get(row["optimizer"], row["optimizer"])
        rank = {} if row["target_rank"] == "-" else {"target_rank": int(row["target_rank"])}
        for criterion in row["criterion"].split("|"):
            config = configure(preset="paper", criterion=criterion, **system, **rank)
            for theirs, ours in NAMES.items():
                if row[theirs]:
                    assert getattr(config, ours) == float(row[theirs]), (row, theirs)
            assert config.lr_schedule == row["schedule"]
            assert config.gradient_checkpointing is (row["gradient_checkpointing"] == "true")
            assert config.weight_decay == float(row["ivon_weight_decay"] or 0)
            assert config.steps == int(row["epochs"]) * math.ceil(TASKS[row["task"]].rows / 32)
            if config.method == "adalora":
                assert config.record_every == config.allocate_every
            if config.optimizer == "ivon":
                settings = (config.ess, config.hess_init, config.beta1, config.beta2)
                assert settings == (0, 1, 0.9, 0.99999)
                assert config.clip_radius == 1e-3


@pytest.mark.parametrize("task", GLUE)
@pytest.mark.parametrize("criterion", ["none", *scores.names()])
def test_any_score_can_be_tried_under_the_published_settings(task: str, criterion: str) -> None:
    config = configure(preset="paper", task=task, criterion=criterion)
    assert (config.criterion, config.steps) == (
        criterion,
        configure(preset="paper", task=task).steps,
    )


@given(task=st.sampled_from(GLUE), scale=st.floats(0.004, 1.0))
def test_a_scaled_schedule_keeps_its_shape(task: str, scale: float) -> None:
    whole, small = (
        configure(preset="paper", task=task),
        configure(preset="paper", task=task, scale=scale),
    )
    for name in ("steps", "warmup", "first_steps", "tinit", "tfinal", "allocate_every"):
        before, after = getattr(whole, name), getattr(small, name)
        assert abs(after - scale * before) <= 0.5 or after == 1
    assert small.schedule(1).final_step > small.tinit
    assert (small.lr, small.first_lr, small.init_rank) == (
        whole.lr,
        whole.first_lr,
        whole.init_rank,
    )


def test_steps_alone_shrink_the_schedule_and_what_is_given_stays() -> None:
    config = configure(preset="paper", task="rte", steps=390, tinit=7)
    assert (config.steps, config.warmup, config.first_steps) == (390, 10, 40)
    assert (config.tinit, config.tfinal, config.scale) == (7, 180, 0.1)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"preset": "papr"}, "did you mean paper"),
        ({"preset": "paper"}, "published for task 'acceptability'; only for cola"),
        (
            {"preset": "paper", "task": "rte", "method": "lora", "optimizer": "ivon"},
            "lora with ivon",
        ),
        ({"preset": "paper", "task": "rte", "scale": math.inf}, "scale = inf"),
        ({"stepz": 3}, "no setting named 'stepz'; did you mean steps"),
    ],
)
def test_mistakes_are_said(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configure(**chosen)


def test_stsb_was_fully_fine_tuned_with_ivon() -> None:
    config = configure(preset="paper", task="stsb", method="full_ft", optimizer="ivon")
    assert (config.lr, config.weight_decay) == (0.1, 1e-5)
    with pytest.raises(ConfigError, match="full_ft with adamw on stsb"):
        configure(preset="paper", task="stsb", method="full_ft")


@pytest.mark.parametrize("method", ["adalora", "lora", "full_ft"])
@pytest.mark.parametrize("optimizer", ["ivon", "adamw"])
@pytest.mark.parametrize("preset", ["live-posterior"])
def test_a_system_has_defaults_that_fit_it(preset: str, method: str, optimizer: str) -> None:
    config = configure(preset=preset, method=method, optimizer=optimizer)
    expected = {"ivon": "snr", "adamw": "sensitivity"}[optimizer] if method == "adalora" else "none"
    assert config.criterion == expected


def naive_rate(
    steps: int, warmup: int, lr: float, first_lr: float | None, first: int
) -> list[float]:
    """Walk through the schedule line by line."""
    rates = []
    for done in range(steps + 1):
        top = first_lr or lr
        if done < warmup:
            rates.append(top / warmup * done)
        elif first_lr and done < first:
            rates.append(first_lr)
        else:
            start = first if first_lr else warmup
            rates.append(lr - lr / (steps - start) * (done - start))
    return rates


@pytest.mark.parametrize("task", ["rte", "sst2"])
def test_the_learning_rate_is_the_schedules(task: str) -> None:
    config = configure(preset="paper", task=task, scale=0.02)
    assert config.lr is not None
    expected = naive_rate(
        config.steps, config.warmup, config.lr, config.first_lr, config.first_steps
    )
    got = [learning_rate(config, done) for done in range(config.steps + 1)]
    assert got == pytest.approx(expected)
    assert max(got) == {"rte": 2.0, "sst2": 0.4}[task]
