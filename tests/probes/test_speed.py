"""Timed steps: every variant has its turn in each round, and trains as a plain loop does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.conftest import adalora, tiny_bert
from vilora_analysis.errors import ConfigError, ScoreError
from vilora_analysis.probes.speed import SpeedQuestion, Variant
from vilora_analysis.probes.speed.machine import describe_machine
from vilora_analysis.probes.speed.measure import Measured, _computing_with, measure
from vilora_analysis.probes.speed.peft_loop import score_in_pefts_loop
from vilora_analysis.probes.speed.replica import copy_trained
from vilora_analysis.probes.speed.stopwatch import PHASES
from vilora_analysis.probes.speed.variants import CORE
from vilora_analysis.training.data import batches as row_numbers
from vilora_analysis.training.data import load_task
from vilora_analysis.training.optimizers import build_optimizer, build_schedule
from vilora_analysis.training.run import prepare, train

PUBLISHED, OURS = CORE[0], Variant("ivon", "snr")
TENTH = Variant("ivon", "snr", record_every=10)
OTHERS = (Variant("ivon", "snr", "peft"), Variant("adamw", "sensitivity"))
VARIANTS = (PUBLISHED, *OTHERS, OURS, TENTH)


def test_copies_share_what_is_frozen_and_nothing_else() -> None:
    model = adalora(tiny_bert())
    copied = dict(copy_trained(model).named_parameters())
    for name, parameter in model.named_parameters():
        assert (copied[name] is parameter) == (not parameter.requires_grad)
        assert torch.equal(copied[name], parameter)
        assert copied[name].requires_grad == parameter.requires_grad
    assert copied.keys() == dict(model.named_parameters()).keys()


@pytest.fixture(scope="module")
def question(dropout_encoder: Path, glue: Path) -> SpeedQuestion:
    return SpeedQuestion(
        model=str(dropout_encoder), task="sst2", data_dir=glue, steps=30, warm_up=2, batch_size=4
    )


@pytest.fixture(scope="module")
def measured(question: SpeedQuestion) -> Measured:
    """By a clock that goes on by 1 whenever it is read."""
    count = iter(range(10**9))
    return measure(question, VARIANTS, progress=False, clock=lambda: float(next(count)))


def losses(measured: Measured, variant: Variant) -> list[float]:
    steps = measured.steps
    return steps.loc[steps["variant"] == variant.name, "loss"].tolist()


def test_the_parts_sum_to_the_step(measured: Measured) -> None:
    steps = measured.steps
    parts = steps[[f"seconds.{phase}" for phase in PHASES]]
    assert (parts.sum(axis=1) == steps["seconds"]).all()
    assert (steps["seconds"] > len(PHASES)).all()


def test_each_round_takes_every_variant_once_in_an_order_of_its_own(measured: Measured) -> None:
    steps = measured.steps
    names = [*dict.fromkeys(steps["variant"])]
    assert names == [variant.name for variant in VARIANTS]
    orders = set()
    for step, rows in steps.groupby("step"):
        assert rows["variant"].tolist() == names
        assert sorted(rows["place"]) == list(range(len(names)))
        orders.add(tuple(rows["place"]))
        assert (rows["allocates"] == (step % 3 == 0)).all()
        assert rows["records"].tolist() == [False] * 4 + [step % 10 == 0]
    assert sorted(steps["step"].unique()) == list(range(3, 33))  # without warm-up, and the last
    assert len(orders) > 20
    for name in names:
        assert steps.loc[steps["variant"] == name, "place"].nunique() > 3


def test_a_replica_trains_as_a_run_does(
    question: SpeedQuestion, measured: Measured, tmp_path: Path
) -> None:
    """Bit by bit, whatever trains beside it: weights, batches, dropout, noise and prunings."""
    rounds = question.rounds(accelerator=False)
    config = dataclasses.replace(question.config(OURS, rounds), out=tmp_path / "run")
    logged = train(config, progress=False).metrics().set_index("step")["loss"]
    assert losses(measured, OURS) == logged.loc[3:32].tolist()
    assert losses(measured, TENTH) == losses(measured, OURS)  # recording changes nothing


def test_the_published_way_is_that_of_pefts_documentation(
    question: SpeedQuestion, measured: Measured
) -> None:
    config = question.config(PUBLISHED, question.rounds(accelerator=False))
    task, splits = load_task(config)
    encoder = prepare(config, task)
    model = encoder.model
    optimizer = build_optimizer(model, config, rows=len(splits.train))
    schedule = build_schedule(optimizer, config)
    plain = []
    rows = row_numbers(len(splits.train), config.batch_size, seed=config.seed)
    for step in range(1, 33):
        inputs, labels = encoder.encode_rows(task, splits.train.iloc[next(rows)])
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        model.base_model.update_and_allocate(step)
        schedule.step()
        optimizer.zero_grad()
        plain.append(float(loss.detach()))
    assert losses(measured, PUBLISHED) == plain[2:]


def test_who_allocates_changes_the_time_and_not_what_is_kept(measured: Measured) -> None:
    """Each criterion prunes the same in PEFT's loop and here, so the weights stay the same."""
    for optimizer, criterion in (("adamw", "sensitivity"), ("ivon", "snr")):
        in_peft, here = (
            losses(measured, Variant(optimizer, criterion, who)) for who in ("peft", "vilora")
        )
        np.testing.assert_allclose(in_peft, here, rtol=1e-5)


def test_what_was_written_and_where_is_said(measured: Measured) -> None:
    (written,) = measured.writing.to_dict("records")
    assert (written["variant"], written["steps"], written["seconds"]) == (TENTH.name, 3, 1.0)
    assert written["bytes"] > 1000
    (machine,) = json.loads(measured.machine.to_json(orient="records"))
    assert machine["threads"] == torch.get_num_threads()
    assert machine["triplets"] == 13 * 6
    assert machine["torch"] == torch.__version__
    assert describe_machine(torch.device("cpu")).keys() <= machine.keys()


def test_threads_are_set_for_the_measurement_alone() -> None:
    before = torch.get_num_threads()
    with _computing_with(before + 1):
        assert torch.get_num_threads() == before + 1
    with _computing_with(None):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


def test_what_cannot_be_measured_is_refused() -> None:
    for wrong, message in (
        ({"steps": 29}, "steps = 29: ask for 30 or more"),
        ({"warm_up": 0}, "at least 1"),
        ({"allocate_every": 0}, "at least 1"),
        ({"threads": 0}, "threads = 0"),
        ({"clock": "cpu", "threads": 2}, "clock 'cpu' with threads 2"),
        ({"clock": "cpu"}, "times of several threads are added up"),
        ({"task": "nothing"}, "nothing"),
    ):
        with pytest.raises(ConfigError, match=message):
            SpeedQuestion(**wrong)
    with pytest.raises(ScoreError, match="snrr"):
        SpeedQuestion(criteria=("snrr",))
    model = adalora(tiny_bert())
    with pytest.raises(ConfigError, match="not with 'mean_abs'"):
        score_in_pefts_loop(model, torch.optim.SGD(model.parameters()), "mean_abs")


def test_the_variants_are_those_of_the_paper_the_criteria_and_recording() -> None:
    names = [variant.name for variant in SpeedQuestion(criteria=("mag", "snr")).variants()]
    assert names[: len(CORE)] == [variant.name for variant in CORE]
    assert names[len(CORE) :] == [
        "IVON mean_abs",
        "IVON snr, recorded",
        "IVON snr, recorded 1 in 10",
    ]
    frame = pd.DataFrame([dataclasses.asdict(variant) for variant in CORE])
    assert not frame.duplicated().any()
