"""Numbers that no score can be made of: a message with score, module and k, or a stated rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, lora, tiny_bert, trainable
from vilora_analysis.errors import ConfigError, LayoutError, ScoreError, ViloraError
from vilora_analysis.log import check_run
from vilora_analysis.training.config import RunConfig

SHORT = {"tinit": 1, "tfinal": 2, "total_step": 6}


def train(
    model: Any,
    optimizer: Any,
    out: Path | None,
    *,
    spoil: Callable[[Any, Any], None] = lambda model, optimizer: None,
    hess: float | None = None,
    loss_times: float = 1.0,
    **options: Any,
) -> Any:
    """Six steps; just before the third, or right after it for hess, something is spoilt."""
    after: list[float] = []
    # registered first, so that the recording sees what it leaves
    optimizer.register_step_post_hook(
        lambda *_: [group["hess"].fill_(x) for x in after for group in optimizer.param_groups]
    )
    with va.instrument(model, optimizer, out, **{"criterion": "snr", **options}):
        for step, batch in enumerate(batches(6), start=1):
            with va.sampled_parameters(optimizer):
                loss = model(**batch).loss
                (loss * (loss_times if step == 3 else 1.0)).backward()
            if step == 3:
                spoil(model, optimizer)
                after += [] if hess is None else [hess]
            optimizer.step()
            optimizer.zero_grad()
    return None if out is None else va.open_run(out)


def spoil_gradient(value: float) -> Callable[[Any, Any], None]:
    def spoil(model: Any, optimizer: Any) -> None:
        optimizer.state["avg_grad"][5] = value

    return spoil


def spoil_weight(value: float) -> Callable[[Any, Any], None]:
    def spoil(model: Any, optimizer: Any) -> None:
        trainable(model)[0].data.view(-1)[0] = value

    return spoil


MODULE_AND_K = re.compile(r"score '\w+' of [\w.]+\[\d+\] at step 3 ")
NAN, INF = float("nan"), float("inf")

BAD = {
    "loss NaN": {"loss_times": NAN},
    "loss infinite": {"loss_times": INF},
    "gradient NaN": {"spoil": spoil_gradient(NAN)},
    "gradient infinite": {"spoil": spoil_gradient(INF)},
    "weight NaN": {"spoil": spoil_weight(NAN)},
    "weight infinite": {"spoil": spoil_weight(INF)},
    "hess NaN": {"hess": NAN},
    "hess + weight_decay negative": {"hess": -1.0},
    "sigma 0": {"hess": INF},
}


@pytest.mark.parametrize("out", [True, False], ids=["recorded", "pruned only"])
@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_number_stops_with_score_module_and_k(name: str, out: bool, tmp_path: Path) -> None:
    model = adalora(tiny_bert(), **SHORT)
    optimizer = ivon_for(trainable(model))
    run = tmp_path / "run" if out else None
    with pytest.raises(ScoreError) as caught:
        train(model, optimizer, run, **BAD[name])
    assert MODULE_AND_K.search(str(caught.value)), str(caught.value)
    if run is not None:  # the steps before are there, and sound
        assert va.open_run(run).manifest.status == "failed"
        assert va.open_run(run).steps.tolist() == [1, 2]
        assert check_run(run) == []


def test_hess_and_weight_decay_of_zero_make_sigma_infinite() -> None:
    """Such a posterior knows nothing of a weight: |mu|/sigma is 0, and E|theta| is infinite."""
    model = adalora(tiny_bert(), **SHORT)
    optimizer = ivon_for(trainable(model), weight_decay=0.0)
    with pytest.raises(ScoreError, match=r"'expected_abs' of .* at step 3 .*sigma = inf"):
        train(model, optimizer, None, hess=0.0, criterion="expected_abs")


def spoil_all_weights(value: float) -> Callable[[Any, Any], None]:
    def spoil(model: Any, optimizer: Any) -> None:
        optimizer.param_groups[0]["lr"] = 0.0
        for parameter in trainable(model):
            parameter.data.fill_(value)

    return spoil


def test_what_overflows_float32_when_reduced_is_refused_and_said(tmp_path: Path) -> None:
    """1e30 is finite, and so is its mean; the squares of its root mean square are not."""
    model = adalora(tiny_bert(), **SHORT)
    optimizer = torch.optim.SGD(trainable(model), lr=1e-3)
    with pytest.raises(ScoreError, match=r"overflows float32.* at step 3|at step 3 .*overflows"):
        train(
            model,
            optimizer,
            tmp_path / "run",
            spoil=spoil_all_weights(1e30),
            criterion=None,
            scores=["mean_abs"],
        )
    assert va.open_run(tmp_path / "run").steps.tolist() == [1, 2]


def test_all_equal_scores_keep_exactly_the_budget_by_position(tmp_path: Path) -> None:
    model = adalora(tiny_bert(), **SHORT)
    optimizer = torch.optim.SGD(trainable(model), lr=0.0)
    run = train(model, optimizer, tmp_path / "run", criterion="mean_abs@E")
    last = run.triplets(["kept", "score.mean_abs@E"], steps=-1)
    assert last["score.mean_abs@E"].eq(0).all()  # PEFT starts E at 0
    target = 2 * len(run.manifest.modules)
    assert last["kept"].tolist() == [at < target for at in range(len(last))]


def test_a_module_without_gradient_is_named() -> None:
    model = adalora(tiny_bert(), **SHORT)
    optimizer = torch.optim.AdamW(trainable(model))

    def forget(model: Any, optimizer: Any) -> None:
        name = "base_model.model.bert.pooler.dense.lora_A.default"
        dict(model.named_parameters())[name].grad = None

    with pytest.raises(LayoutError, match=r"pooler\.dense\.lora_A.* has no gradient"):
        train(model, optimizer, None, spoil=forget, criterion="sensitivity")


@pytest.mark.parametrize(("target", "kept"), [(0, 0), (1, 13), (3, 39)])
def test_a_budget_of_nothing_or_of_everything(target: int, kept: int, tmp_path: Path) -> None:
    model = adalora(tiny_bert(), **SHORT, target_r=max(target, 1))
    model.base_model.peft_config["default"].target_r = target
    run = train(model, ivon_for(trainable(model)), tmp_path / "run")
    assert int(run.triplets(["kept"], steps=-1)["kept"].sum()) == kept
    assert run.events()["n_kept"].iloc[-1] == kept
    assert check_run(run.path) == []


def test_one_triplet(tmp_path: Path) -> None:
    model = adalora(
        tiny_bert(), **SHORT, init_r=1, target_r=1, target_modules=["bert.pooler.dense"]
    )
    run = train(model, ivon_for(trainable(model)), tmp_path / "run")
    assert run.manifest.n_triplets == 1
    assert run.triplets(["kept"])["kept"].all()
    assert {"correlations", "ranks"} <= set(va.analysis.__all__)
    assert va.analysis.ranks(run)["rank"].sum() == 1


def test_no_triplets() -> None:
    model = tiny_bert()
    with pytest.raises(LayoutError, match=r"no trainable LoRA or AdaLoRA"):
        va.instrument(model, ivon_for(model.parameters()), None)


def test_rank_0_is_refused_before_training() -> None:
    for settings in ({"init_rank": 0}, {"method": "lora", "target_rank": 0}):
        with pytest.raises(ConfigError, match=r"rank = 0"):
            RunConfig(criterion="none", **settings)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"criterion": "snrr"}, "did you mean snr?"),
        ({"criterion": "snr@nonsense"}, "expected after the @"),
        ({"scores": ["nope"]}, "nope"),
        ({"every": 0}, "every 0"),
        ({"every": 1.5}, "every 1.5"),
        ({"elements_every": -1}, "elements_every -1"),
        ({"fisher_beta": 2.0}, "fisher_beta"),
        ({"fisher_beta": float("nan")}, "fisher_beta"),
        ({"allocation": "l2"}, "l2"),
        ({"allocation": "l1", "criterion": None, "l1_penalty": NAN}, "l1_penalty"),
    ],
    ids=str,
)
def test_wrong_arguments_of_instrument(
    options: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = adalora(tiny_bert(), **SHORT)
    with pytest.raises(ViloraError) as caught:
        va.instrument(
            model,
            ivon_for(trainable(model)),
            **{"out": tmp_path / "run", "criterion": "snr", **options},
        )
    assert told in str(caught.value)


def test_lora_cannot_prune() -> None:
    model = lora(tiny_bert())
    with pytest.raises(ViloraError, match=r"the model has none"):
        va.instrument(model, ivon_for(trainable(model)), None, criterion="snr")
