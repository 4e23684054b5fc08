"""A Trainer's checkpoint brings back the run and what it had kept, or says what it lacks."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, ivon_for, tiny_bert, trainable
from tests.training.trainers import mean_weights, trained, trainer
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import check_run


@pytest.mark.parametrize("step", [8, 16, 27])  # before, within and after the allocations
def test_resumed_from_a_checkpoint_it_is_the_same_run(tmp_path: Path, step: int) -> None:
    saving = {"save_strategy": "steps", "save_steps": step, "dropout": 0.1}
    whole, optimizer = trained(tmp_path / "whole", out=True, **saving)

    class Stop(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step + 2:
                raise KeyboardInterrupt

    for resumed in (False, True):
        model = adalora(tiny_bert(dropout=0.1))
        again = ivon_for(trainable(model))
        callback = va.VILoRACallback(tmp_path / "run")
        part = trainer(
            model, again, callback, tmp_path / "out", save_strategy="steps", save_steps=step
        )
        if resumed:
            part.train(resume_from_checkpoint=str(tmp_path / "out" / f"checkpoint-{step}"))
        else:
            part.add_callback(Stop())
            with pytest.raises(KeyboardInterrupt):
                part.train()
            callback.close()  # frees the run, which a killed process would not hold
    assert again.current_step == optimizer.current_step == 30
    expected = mean_weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in mean_weights(model).items())
    for group, other in zip(optimizer.param_groups, again.param_groups, strict=True):
        assert torch.equal(group["hess"], other["hess"])
    runs = [va.open_run(tmp_path / "whole" / "run"), va.open_run(tmp_path / "run")]
    assert runs[0].triplets().equals(runs[1].triplets())
    assert runs[0].events().equals(runs[1].events())
    assert all(check_run(run.path) == [] for run in runs)
    patterns = [m.peft_config["default"].rank_pattern for m in (whole, model)]
    assert patterns[0] == patterns[1]


def test_resuming_without_the_callbacks_file_is_said(tmp_path: Path) -> None:
    trained(tmp_path, save_strategy="steps", save_steps=8)
    (tmp_path / "out" / "checkpoint-8" / "vilora.pt").unlink()
    model = adalora(tiny_bert())
    again = trainer(model, ivon_for(trainable(model)), va.VILoRACallback(), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"no vilora\.pt in .*checkpoint-8.*resume_from="):
        again.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-8"))


def test_the_best_model_comes_with_what_it_kept(tmp_path: Path) -> None:
    """The Trainer loads its best weights at the end; the adapter gets the ranks of that step."""
    model = adalora(tiny_bert())
    callback = va.VILoRACallback()
    best = trainer(
        model,
        ivon_for(trainable(model)),
        callback,
        tmp_path / "out",
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=10,
        save_steps=10,
        load_best_model_at_end=True,
    )
    losses = itertools.count(1.0)  # the first is the best: it had pruned, but not to the end
    best.evaluate = lambda **_: (
        best.log({"eval_loss": (loss := next(losses))}) or {"eval_loss": loss}
    )
    best.train()
    assert best.state.best_model_checkpoint.endswith("checkpoint-10")
    pattern = model.peft_config["default"].rank_pattern
    values = dict(model.named_parameters())
    for name, row in pattern.items():
        alive = values[f"base_model.model.{name}"].flatten() != 0
        assert alive.tolist() == row
    assert 26 < sum(map(sum, pattern.values())) < 39
    # and with the sigma of that step, not of the last
    saved = torch.load(tmp_path / "out" / "checkpoint-10" / "vilora.pt")
    assert torch.equal(best.optimizer.optimizer.param_groups[0]["hess"], saved["hess"][0])


def test_a_checkpoint_without_the_optimizer_is_not_gone_on_with(tmp_path: Path) -> None:
    trained(tmp_path, save_strategy="steps", save_steps=8, save_only_model=True)
    model = adalora(tiny_bert())
    again = trainer(model, ivon_for(trainable(model)), va.VILoRACallback(), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"no optimizer\.pt .*Hessian and momentum are lost"):
        again.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-8"))
