"""The posterior by name: IVON's own numbers, drawn from, cut, saved and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable, value_of
from vilora_analysis.errors import LayoutError
from vilora_analysis.posterior import Posterior


@pytest.fixture(scope="module")
def trained() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model = adalora(tiny_bert())
    groups = [{"params": trainable(model)[:5]}, {"params": trainable(model)[5:], "ess": 90.0}]
    optimizer = ivon_for(groups, beta2=0.9)
    for batch in batches(5):
        with va.sampled_parameters(optimizer):
            model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def test_mu_and_sigma_are_ivons_own(trained: tuple) -> None:
    model, optimizer = trained
    posterior = Posterior.from_optimizer(model, optimizer)
    assert list(posterior.mu) == [n for n, p in model.named_parameters() if p.requires_grad]
    for group in optimizer.param_groups:
        offset = 0
        for parameter in group["params"]:
            name = next(n for n, p in model.named_parameters() if p is parameter)
            hess = group["hess"][offset : offset + parameter.numel()].reshape(parameter.shape)
            expected = 1 / (group["ess"] * (hess + group["weight_decay"])).sqrt()
            torch.testing.assert_close(posterior.sigma[name], expected)
            assert torch.equal(posterior.mu[name], parameter)
            offset += parameter.numel()


def test_draws_have_the_posteriors_moments() -> None:
    posterior = Posterior({"a": torch.tensor([1.0, -2.0])}, {"a": torch.tensor([0.5, 3.0])})
    generator = torch.Generator().manual_seed(3)
    draws = torch.stack([posterior.draw(generator)["a"] for _ in range(20_000)])
    # four standard errors of mean and standard deviation
    assert (
        (draws.mean(0) - posterior.mu["a"]).abs().le(4 * posterior.sigma["a"] / 20_000**0.5).all()
    )
    assert (draws.std(0) / posterior.sigma["a"] - 1).abs().max() < 4 / (2 * 20_000) ** 0.5


def test_sampled_changes_the_model_for_the_block_only(trained: tuple) -> None:
    model, optimizer = trained
    posterior = Posterior.from_optimizer(model, optimizer)
    state = torch.get_rng_state()
    with posterior.sampled(model, torch.Generator().manual_seed(0)):
        drawn = {name: value_of(p) for name, p in model.named_parameters()}
    assert all((drawn[name] != mean).any() for name, mean in posterior.mu.items())
    with (
        pytest.raises(RuntimeError, match="inside"),
        posterior.sampled(model, torch.Generator().manual_seed(0)),
    ):
        raise RuntimeError("inside")
    assert all(
        torch.equal(p, posterior.mu[n]) for n, p in model.named_parameters() if p.requires_grad
    )
    assert torch.equal(torch.get_rng_state(), state)


def test_pruning_takes_a_triplet_out_with_certainty(trained: tuple) -> None:
    model, optimizer = trained
    layout = va.TripletLayout.from_model(model)
    kept = [i % 3 != 1 for i in range(layout.n_triplets)]
    posterior = Posterior.from_optimizer(model, optimizer)
    masked = posterior.pruned(layout, kept)
    resized = posterior.pruned(layout, kept, resize=True)
    for module in layout.modules:
        rows = torch.tensor(kept[module.first : module.first + module.rank])
        for factor, name in module.parameters.items():
            for kind in ("mu", "sigma"):
                before, cut = getattr(posterior, kind)[name], getattr(resized, kind)[name]
                assert torch.equal(cut, before[:, rows] if factor == "B" else before[rows])
                if factor == "E":
                    assert (getattr(masked, kind)[name][~rows] == 0).all()
    head = [n for n in posterior.mu if "classifier" in n]
    assert all(torch.equal(resized.mu[n], posterior.mu[n]) for n in head)
    assert head


def test_saved_and_loaded(trained: tuple, tmp_path: Path) -> None:
    posterior = Posterior.from_optimizer(*trained)
    posterior.save(tmp_path / "posterior.safetensors")
    again = Posterior.load(tmp_path / "posterior.safetensors")
    for kind in ("mu", "sigma"):
        before, after = getattr(posterior, kind), getattr(again, kind)
        assert before.keys() == after.keys()
        assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_mistakes_are_said(trained: tuple, tmp_path: Path) -> None:
    model, optimizer = trained
    with pytest.raises(LayoutError, match="SGD keeps no posterior"):
        Posterior.from_optimizer(model, torch.optim.SGD(trainable(model)))
    with pytest.raises(LayoutError, match="not the model's"):
        Posterior.from_optimizer(adalora(tiny_bert()), optimizer)
    with pytest.raises(LayoutError, match="is not a posterior that can be read"):
        Posterior.load(tmp_path / "nowhere.safetensors")
    import safetensors.torch

    safetensors.torch.save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(LayoutError, match="a mu and a sigma for each parameter"):
        Posterior.load(tmp_path / "other.safetensors")
    posterior = Posterior.from_optimizer(model, optimizer)
    smaller = adalora(tiny_bert(), init_r=2)
    with (
        pytest.raises(LayoutError, match=r"of shape \(3, 16\), the model has .*\(2, 16\)"),
        posterior.sampled(smaller, torch.Generator()),
    ):
        pass
