"""The allocator in PEFT's place: parity with PEFT's own, and every way to call it wrongly."""

from __future__ import annotations

from pathlib import Path

import peft
import pytest
import safetensors.torch
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, lora, tiny_bert, trainable
from vilora_analysis.errors import LayoutError, ScoreError

STEPS = 120
SCHEDULE = {"tinit": 10, "tfinal": 30, "deltaT": 3, "total_step": STEPS, "init_r": 4, "target_r": 2}


def train(
    model: peft.PeftModel,
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    own_calls: bool = False,
) -> list[dict[str, list[bool]]]:
    """A hand-written loop; returns PEFT's rank pattern after each step."""
    patterns = []
    for step, batch in enumerate(batches(steps), start=1):
        with va.sampled_parameters(optimizer):
            model(**batch).loss.backward()
        optimizer.step()
        if own_calls:
            model.base_model.update_and_allocate(step)
        optimizer.zero_grad()
        patterns.append(dict(pattern_of(model)))
    return patterns


def pattern_of(model: peft.PeftModel) -> dict[str, list[bool]]:
    """PEFT keeps it in its configuration; ours does not before it is closed."""
    allocator = model.base_model.rankallocator
    if isinstance(allocator, va.ScoreAllocator):
        assert not model.peft_config["default"].rank_pattern
        return allocator.rank_pattern() if allocator.decided else {}
    return model.peft_config["default"].rank_pattern or {}


def adam(model: torch.nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(trainable(model), lr=5e-3)


def fresh() -> peft.PeftModel:
    return adalora(tiny_bert(), **SCHEDULE)


@pytest.fixture(scope="module")
def pefts_own() -> tuple[list[dict[str, list[bool]]], dict[str, torch.Tensor]]:
    """PEFT's AdaLoRA with its own RankAllocator, Adam and sensitivity."""
    model = fresh()
    patterns = train(model, adam(model), STEPS, own_calls=True)
    return patterns, model.state_dict()


@pytest.mark.parametrize("drive", [True, False])
def test_kept_sets_equal_pefts_at_every_step(pefts_own: tuple, drive: bool) -> None:
    """13 modules, 120 steps; on tie-free scores the exact rule gives the same sets as well."""
    expected, weights = pefts_own
    assert len({str(pattern) for pattern in expected}) > 10  # the sets do change on the way
    model = fresh()
    optimizer = adam(model)
    with va.instrument(
        model, optimizer, criterion="sensitivity", rule="published", drive=drive
    ) as recording:
        got = train(model, optimizer, STEPS, own_calls=not drive)
        assert recording.n_kept == 2 * 13
    assert got == expected
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_the_exact_rule_differs_from_pefts_at_the_last_decision_only(pefts_own: tuple) -> None:
    expected, _ = pefts_own
    model = fresh()
    optimizer = adam(model)
    with va.instrument(model, optimizer, criterion="sensitivity"):
        got = train(model, optimizer, STEPS)
    final = STEPS - SCHEDULE["tfinal"]
    assert got[: final - 1] == expected[: final - 1]


@pytest.mark.parametrize("criterion", va.scores.names())
def test_every_registered_score_prunes_to_the_budget(criterion: str) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, criterion=criterion) as recording:
        patterns = train(model, optimizer, 30)
    assert sum(map(sum, patterns[-1].values())) == 2 * 13 == recording.n_kept
    values = {n: p for n, p in model.named_parameters() if "lora_E" in n}
    for name, row in patterns[-1].items():
        value = values[f"base_model.model.{name}"].flatten()
        assert (value[~torch.tensor(row)] == 0).all()


def test_init_rank_equal_to_target_rank_keeps_everything() -> None:
    """PEFT's kthvalue(0) fails here."""
    model = adalora(tiny_bert(), init_r=3, target_r=3)
    optimizer = adam(model)
    with va.instrument(model, optimizer, criterion="mean_abs") as recording:
        patterns = train(model, optimizer, 30)
    assert recording.n_kept == 39
    assert all(all(row) for row in patterns[-1].values())


def test_a_budget_of_zero_prunes_everything() -> None:
    model = adalora(tiny_bert(), target_r=0)
    optimizer = adam(model)
    with va.instrument(model, optimizer, criterion="mean_abs") as recording:
        train(model, optimizer, 30)
    assert recording.n_kept == 0


def test_pefts_allocator_is_back_afterwards() -> None:
    model = adalora(tiny_bert())
    own = model.base_model.rankallocator
    with va.instrument(model, adam(model), criterion="mean_abs") as recording:
        assert model.base_model.rankallocator is recording.allocator is not own
        recording.step = 30
    assert model.base_model.rankallocator is own


def test_calling_twice_for_one_step_is_said() -> None:
    model = adalora(tiny_bert())
    optimizer = adam(model)
    with (
        pytest.raises(LayoutError, match=r"something else calls update_and_allocate too"),
        va.instrument(model, optimizer, criterion="mean_abs"),
    ):
        train(model, optimizer, 30, own_calls=True)


def test_never_calling_is_said() -> None:
    """The mistake that PEFT's users report most: AdaLoRA that never allocates."""
    model = adalora(tiny_bert())
    optimizer = adam(model)
    with (
        pytest.raises(LayoutError, match="was not called after step 1; call it once after each"),
        va.instrument(model, optimizer, criterion="mean_abs", drive=False),
    ):
        train(model, optimizer, 30)


def test_stopping_before_the_last_decision_is_said() -> None:
    model = adalora(tiny_bert())
    optimizer = adam(model)
    with (
        pytest.warns(
            UserWarning, match=r"ended after step 10, before the last allocation at .* 25"
        ),
        va.instrument(model, optimizer, criterion="mean_abs"),
    ):
        train(model, optimizer, 10)


def test_lora_cannot_be_pruned() -> None:
    model = lora(tiny_bert())
    with pytest.raises(LayoutError, match="prunes an AdaLoRA adapter, and the model has none"):
        va.instrument(model, adam(model), criterion="mean_abs")


def test_a_posterior_score_without_posterior_names_the_alternatives() -> None:
    model = adalora(tiny_bert())
    with pytest.raises(ScoreError, match=r"'snr' needs a posterior, which Adam .* sensitivity"):
        va.instrument(model, adam(model), criterion="snr")


def test_a_score_that_is_not_finite_stops_with_names() -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model), lr=0.0)
    name = "base_model.model.bert.encoder.layer.1.output.dense.lora_A.default"
    with torch.no_grad():
        dict(model.named_parameters())[name][2, 4] = torch.nan

    expected = (
        r"score 'snr' of bert\.encoder\.layer\.1\.output\.dense\[2\] at step 6 is nan: "
        r"mu = nan, sigma = .*factor A"
    )
    with pytest.raises(ScoreError, match=expected):
        train_on_norm(model, optimizer, 30)


def train_on_norm(model: peft.PeftModel, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """A loss that a NaN in one parameter does not spread from."""
    with va.instrument(model, optimizer, criterion="snr"):
        for _ in range(steps):
            with va.sampled_parameters(optimizer):
                sum(p.square().sum() for p in trainable(model)).backward()
            optimizer.step()
            optimizer.zero_grad()


def call_twice_a_step(model: peft.PeftModel, optimizer: torch.optim.Optimizer) -> None:
    for step in range(1, 31):
        train(model, optimizer, 1)
        for _ in range(2):
            model.base_model.update_and_allocate(step)


def test_calling_twice_in_ones_own_loop_is_said() -> None:
    model = adalora(tiny_bert())
    optimizer = adam(model)
    with (
        pytest.raises(LayoutError, match=r"update_and_allocate\(6\) was called .* twice"),
        va.instrument(model, optimizer, criterion="mean_abs", drive=False),
    ):
        call_twice_a_step(model, optimizer)


def test_two_that_allocate_are_refused() -> None:
    model = adalora(tiny_bert())
    optimizer = adam(model)
    with va.instrument(model, optimizer, criterion="mean_abs") as recording:
        recording.step = 30  # as if trained to the end
        with pytest.raises(LayoutError, match="allocated already, by another"):
            va.instrument(model, optimizer, criterion="sensitivity")


def test_saving_in_the_middle_leaves_the_training_as_it_was(tmp_path: Path) -> None:
    """With a rank pattern PEFT would cut what it saves, and change its configuration."""
    runs = []
    for saves in (False, True):
        model = adalora(tiny_bert())
        optimizer = adam(model)
        with va.instrument(model, optimizer, criterion="mean_abs") as recording:
            train(model, optimizer, 27)
            if saves:
                model.save_pretrained(tmp_path / "middle")
            train(model, optimizer, 3)
            assert recording.n_kept == 26
        runs.append(model.state_dict())
        assert sum(map(sum, model.peft_config["default"].rank_pattern.values())) == 26
    assert all(torch.equal(value, runs[1][name]) for name, value in runs[0].items())
    saved = safetensors.torch.load_file(tmp_path / "middle" / "adapter_model.safetensors")
    assert {tuple(v.shape) for k, v in saved.items() if "lora_E" in k} == {(3, 1)}
