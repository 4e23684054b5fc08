"""One line in a Trainer script: IVON is driven, triplets are pruned, every step is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, ivon_for, tiny_bert, trainable
from tests.training.trainers import Rows, mean_weights, trained, trainer
from vilora_analysis.errors import ConfigError, LayoutError, LogError
from vilora_analysis.log import check_run
from vilora_analysis.training.models import recompute_activations


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
    callback = va.VILoRACallback(tmp_path / "run", criterion=None)
    with pytest.warns(UserWarning, match="trained for 30 steps and nothing was ever pruned"):
        trainer(model, optimizer, callback, tmp_path / "out").train()
    run = va.open_run(tmp_path / "run")
    assert "score.sensitivity" in run.columns
    assert "score.snr" not in run.columns


def test_the_clipped_gradient_is_what_ivon_gets(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    seen: list[float] = []
    optimizer.register_step_pre_hook(
        lambda o, *_: seen.append(float(o.state["avg_grad"].norm())),
    )
    callback = va.VILoRACallback()
    trainer(model, optimizer, callback, tmp_path / "out", max_grad_norm=0.01).train()
    assert len(seen) == 30
    assert max(seen) == pytest.approx(0.01, rel=1e-4)


def test_gradient_checkpointing_changes_nothing(tmp_path: Path) -> None:
    plain, _ = trained(tmp_path / "a", dropout=0.1)
    model = adalora(tiny_bert(dropout=0.1))
    recompute_activations(model)
    optimizer = ivon_for(trainable(model))
    trainer(model, optimizer, va.VILoRACallback(), tmp_path / "b").train()
    expected = mean_weights(plain)
    assert all(torch.equal(value, expected[name]) for name, value in mean_weights(model).items())


def test_bf16_trains_a_posterior_in_float32(tmp_path: Path) -> None:
    model, optimizer = trained(tmp_path, out=True, bf16=True)
    exact, _ = trained(tmp_path / "exact")
    run = va.open_run(tmp_path / "run")
    assert run.triplets(["kept"], -1)["kept"].sum() == 26
    assert check_run(run.path) == []
    assert optimizer.param_groups[0]["hess"].dtype == torch.float32
    name = "base_model.model.classifier.modules_to_save.default.weight"
    weights, others = mean_weights(model)[name], mean_weights(exact)[name]
    assert not torch.equal(weights, others)
    torch.testing.assert_close(weights, others, rtol=0.2, atol=0.02)


def test_evaluation_in_the_middle_is_at_the_mean_and_changes_nothing(tmp_path: Path) -> None:
    plain = adalora(tiny_bert())
    optimizer = with_fixed_noise(ivon_for(trainable(plain)))
    trainer(plain, optimizer, va.VILoRACallback(), tmp_path / "out").train()
    model = adalora(tiny_bert())
    callback = va.VILoRACallback(tmp_path / "run")
    # a DataLoader of its own draws a number, with or without us
    optimizer = with_fixed_noise(ivon_for(trainable(model)))
    inside = trainer(
        model, optimizer, callback, tmp_path / "out", eval_strategy="steps", eval_steps=4
    )
    inside.train()
    expected = mean_weights(plain)
    assert all(torch.equal(value, expected[name]) for name, value in mean_weights(model).items())
    losses = va.open_run(tmp_path / "run").metrics().set_index("step")["eval_loss"].dropna()
    assert losses.index.tolist() == [4, 8, 12, 16, 20, 24, 28, 30]


def test_evaluating_after_training_is_not_logged_and_no_error(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    callback = va.VILoRACallback(tmp_path / "run")
    done = trainer(model, ivon_for(trainable(model)), callback, tmp_path / "out")
    done.train()
    assert "eval_loss" in done.evaluate()
    with pytest.raises(LogError, match="the recording is closed"):
        callback.recording.log(loss=1.0)


def test_a_pass_that_ends_within_an_accumulation_leaves_the_means(tmp_path: Path) -> None:
    """A stream of unknown length: the last micro-batch begins a step that is never taken."""

    class Stream(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            return iter(Rows(12).rows)

    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    at_rest: list[bool] = []

    class Watches(transformers.TrainerCallback):  # type: ignore[misc]
        def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            at_rest.append(not callback._sample._exit_callbacks)

    callback = va.VILoRACallback()
    stream = trainer(model, optimizer, callback, tmp_path / "out", gradient_accumulation_steps=2)
    stream.train_dataset = Stream()
    stream.add_callback(Watches())
    stream.train()
    assert optimizer.current_step == 30
    assert at_rest
    assert all(at_rest)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_steps": 24}, r"allocation would come at step 25 .*training ends at step 24"),
        ({"fp16": True}, r"fp16 scales the loss .*Use bf16"),
        ({"fsdp": "full_shard"}, "fsdp splits parameters over processes"),
        ({"auto_find_batch_size": True}, "starts training over with a smaller batch"),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    callback = va.VILoRACallback(tmp_path / "run")
    impossible = trainer(model, optimizer, callback, tmp_path / "out")
    for name, value in arguments.items():
        setattr(impossible.args, name, value)
    with pytest.raises(ConfigError, match=message):
        impossible.train()
    assert not isinstance(model.base_model.rankallocator, va.ScoreAllocator)


def test_another_callback_that_allocates_is_refused(tmp_path: Path) -> None:
    class Allocates(transformers.TrainerCallback):  # type: ignore[misc]
        def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            kwargs["model"].base_model.update_and_allocate(state.global_step)

    model = adalora(tiny_bert())
    both = trainer(model, ivon_for(trainable(model)), va.VILoRACallback(), tmp_path / "out")
    both.add_callback(Allocates())
    with pytest.raises(LayoutError, match="something else calls update_and_allocate too"):
        both.train()


def test_the_callback_given_twice_is_refused(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    twice = trainer(model, ivon_for(trainable(model)), va.VILoRACallback(), tmp_path / "out")
    twice.add_callback(va.VILoRACallback())
    with pytest.raises(LayoutError, match="allocated already"):
        twice.train()


def test_a_parameter_without_gradient_is_said_and_the_means_are_back(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    unused = torch.nn.Parameter(torch.ones(2))
    optimizer = ivon_for([*trainable(model), unused])
    before = {name: value.clone() for name, value in mean_weights(model).items()}
    callback = va.VILoRACallback()
    with pytest.raises(LayoutError, match=r"1 of .* trained parameters got no gradient"):
        trainer(model, optimizer, callback, tmp_path / "out").train()
    assert all(torch.equal(value, before[name]) for name, value in mean_weights(model).items())
    assert torch.equal(unused, torch.ones(2))


def test_after_an_error_close_gives_the_means_back(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    callback = va.VILoRACallback(tmp_path / "run")
    failing = trainer(model, optimizer, callback, tmp_path / "out")
    before = {name: value.clone() for name, value in mean_weights(model).items()}

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("in the forward pass")

    failing.compute_loss = fail
    with pytest.raises(RuntimeError, match="in the forward pass"):
        failing.train()
    assert not all(torch.equal(v, before[name]) for name, v in mean_weights(model).items())
    callback.close()
    assert all(torch.equal(v, before[name]) for name, v in mean_weights(model).items())
    assert va.open_run(tmp_path / "run").manifest.status == "failed"
