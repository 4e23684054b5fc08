"""The stacked orthogonality penalty against PEFT's own loop, in value, gradient and training."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import peft
import pytest
import torch

import vilora_analysis as va
from benchmarks.counting import CountedOperations
from tests.conftest import adalora, batches, ivon_for, lora, tiny_bert, trainable, value_of
from vilora_analysis.training.config import configure
from vilora_analysis.training.orthogonality import orthogonality_penalty, stacked_penalty
from vilora_analysis.training.run import train

Context = Callable[[torch.nn.Module], AbstractContextManager[None]]


def randomised(model: peft.PeftModel, dtype: torch.dtype = torch.float32) -> peft.PeftModel:
    """Matrices that are far from orthogonal, and not 0."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name and parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model.to(dtype)


def loss_and_gradient(model: peft.PeftModel, context: Context) -> tuple[Any, list[torch.Tensor]]:
    model.zero_grad()
    with context(model):
        loss = model(**next(batches(1))).loss
        loss.backward()
    return loss.detach(), [value_of(p.grad) for p in trainable(model)]


@pytest.mark.parametrize(
    ("dtype", "rtol"), [(torch.float32, 2e-5), (torch.float64, 1e-13)], ids=["single", "double"]
)
@pytest.mark.parametrize("weight", [0.0, 0.5, 40.0])
def test_value_and_gradient_are_pefts(dtype: torch.dtype, rtol: float, weight: float) -> None:
    model = randomised(adalora(tiny_bert(), orth_reg_weight=weight), dtype)
    expected = loss_and_gradient(model, lambda _: nullcontext())
    got = loss_and_gradient(model, stacked_penalty)
    torch.testing.assert_close(got[0], expected[0], rtol=rtol, atol=0)
    for ours, theirs in zip(got[1], expected[1], strict=True):
        scale = float(theirs.abs().max())
        torch.testing.assert_close(ours, theirs, rtol=rtol, atol=rtol * scale)


def test_matrices_of_unequal_ranks_and_shapes() -> None:
    """As they are in an adapter that was cut to its rank pattern; by hand, one after the other."""
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randn(r, d, generator=generator) for r, d in ((1, 4), (3, 4), (3, 9), (1, 4))]
    columns = [torch.randn(d, r, generator=generator) for r, d in ((2, 4), (3, 8))]
    by_hand = [(p @ p.T - torch.eye(len(p))).norm() for p in (*rows, *[c.T for c in columns])]
    torch.testing.assert_close(orthogonality_penalty(rows, columns), sum(by_hand) / 6)


def test_no_gradient_where_nothing_is_to_be_mended() -> None:
    matrix = torch.eye(2, 5).requires_grad_()
    orthogonality_penalty([matrix], []).backward()
    assert matrix.grad.count_nonzero() == 0


def test_ranks_that_were_pruned() -> None:
    """After PEFT cut the adapter, parameters are new, of other shapes."""
    model = randomised(adalora(tiny_bert()))
    names = [n for n, _ in model.base_model.model.named_parameters() if "lora_E" in n]
    pattern = {name: [i % 3 > 0, True, i % 2 > 0] for i, name in enumerate(names)}
    with stacked_penalty(model):
        model.base_model.resize_modules_by_rank_pattern(pattern, "default")
        model.zero_grad()
        got = model(**next(batches(1))).loss
    assert {len(p) for n, p in model.named_parameters() if "lora_E" in n} == {1, 2, 3}
    torch.testing.assert_close(got, model(**next(batches(1))).loss)


def test_operations_do_not_grow_with_the_layers() -> None:
    """12 layers of 6 matrices and a pooler: 146 matrices of 4 shapes."""
    model = adalora(tiny_bert(layers=12))
    counted = {}
    for name, context in (("peft", lambda _: nullcontext()), ("stacked", stacked_penalty)):
        with context(model), CountedOperations() as forward:
            loss = model(**next(batches(1))).loss
        with CountedOperations() as backward:
            loss.backward()
        counted[name] = (forward.total, backward.total)
    with CountedOperations() as bare:
        loss = model.base_model.model(**next(batches(1))).loss
    with CountedOperations() as bare_backward:
        loss.backward()
    added = {k: (v[0] - bare.total, v[1] - bare_backward.total) for k, v in counted.items()}
    assert added["peft"][0] > 850
    assert added["peft"][1] > 900
    assert added["stacked"][0] <= 40
    assert added["stacked"][1] <= 200  # 146 of them add a gradient to what the loss has given


def test_a_negative_weight_is_refused_as_before() -> None:
    model = adalora(tiny_bert())
    model.peft_config["default"].orth_reg_weight = -1.0
    with stacked_penalty(model), pytest.raises(ValueError, match="orth_reg_weight should be"):
        model(**next(batches(1)))


@pytest.mark.parametrize("make", [lora, lambda model: model], ids=["lora", "no adapter"])
def test_models_without_a_penalty_are_left_alone(make: Any) -> None:
    model = make(tiny_bert())
    before = model(**next(batches(1))).loss
    with stacked_penalty(model):
        assert torch.equal(model(**next(batches(1))).loss, before)


def test_nothing_is_left_behind_and_nothing_else_is_saved() -> None:
    model = adalora(tiny_bert())
    keys, config = [*model.state_dict()], model.peft_config["default"].to_dict()
    with stacked_penalty(model), stacked_penalty(model):
        assert [*model.state_dict()] == keys
        assert model.peft_config["default"].to_dict() == config
    assert not {"forward", "_vilora_factors"} & vars(model.base_model).keys()


def test_a_copy_computes_its_own() -> None:
    model = randomised(adalora(tiny_bert()))
    with stacked_penalty(model):
        before = model(**next(batches(1))).loss
        twin = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in trainable(model):
                parameter.zero_()
        assert torch.equal(twin(**next(batches(1))).loss, before)


def test_training_is_the_same_to_rounding() -> None:
    ends = []
    for context in (lambda _: nullcontext(), stacked_penalty):
        model = adalora(tiny_bert())
        optimizer = ivon_for(trainable(model), lr=0.1)
        torch.manual_seed(5)
        with context(model), va.instrument(model, optimizer, criterion="snr") as recording:
            for batch in batches(30):
                with va.sampled_parameters(optimizer):
                    model(**batch).loss.backward()
                optimizer.step()
                optimizer.zero_grad()
        ends.append(([value_of(p) for p in trainable(model)], recording.allocator.rank_pattern()))
    for ours, theirs in zip(ends[1][0], ends[0][0], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)
    assert ends[0][1] == ends[1][1]


def test_a_run_uses_it_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder_path: Path
) -> None:
    calls: Counter[bool] = Counter()

    def counted(rows: Any, columns: Any) -> torch.Tensor:
        calls[fast] += 1
        return orthogonality_penalty(rows, columns)

    monkeypatch.setattr("vilora_analysis.training.orthogonality.orthogonality_penalty", counted)
    for fast in (True, False):
        config = configure(
            model=str(encoder_path), steps=5, fast_penalty=fast, out=tmp_path / str(fast)
        )
        run = train(config, progress=False)
        assert run.manifest.config.get("fast_penalty", True) is fast
    assert calls[True] >= 5
    assert not calls[False]
