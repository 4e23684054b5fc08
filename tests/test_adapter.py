"""What is saved is loaded by plain PEFT: predictions, merging, and the predictive distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch

import vilora_analysis as va
from tests.conftest import (
    adalora,
    batches,
    ivon_for,
    load_adapter,
    lora,
    pefts_noise,
    tiny_bert,
    trainable,
)
from vilora_analysis.adapter import load_posterior, save_adapter
from vilora_analysis.errors import LayoutError
from vilora_analysis.posterior import Posterior


def load(folder: Path) -> Any:
    return load_adapter(tiny_bert(seed=0), folder).eval()


def train(model: Any, optimizer: Any, criterion: str | None) -> None:
    with va.instrument(model, optimizer, criterion=criterion):
        for batch in batches(30):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()


@pytest.fixture(scope="module", params=["adalora", "few are left", "lora"])
def saved(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Any, Path, Posterior]:
    folder = tmp_path_factory.mktemp("adapter")
    if request.param == "lora":
        model = lora(tiny_bert(seed=0))
    else:
        model = adalora(tiny_bert(seed=0), target_r=2 if request.param == "adalora" else 1)
    optimizer = ivon_for(trainable(model), lr=20.0)
    train(model, optimizer, None if request.param == "lora" else "snr")
    posterior = save_adapter(model, optimizer, folder)
    assert posterior is not None
    return model, optimizer, folder, posterior


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        # no labels: with a loss PEFT computes AdaLoRA's penalty, and fails on a loaded adapter
        rows = [{k: v for k, v in batch.items() if k != "labels"} for batch in batches(3, seed=9)]
        return torch.cat([model(**batch).logits for batch in rows])


def test_plain_peft_predicts_the_same(saved: tuple) -> None:
    model, _, folder, _ = saved
    torch.testing.assert_close(logits(load(folder)), logits(model))


def test_ranks_are_those_of_the_pattern_with_none_left_included(saved: tuple) -> None:
    model, _, folder, _ = saved
    ranks = [p.shape[0] for n, p in load(folder).named_parameters() if "lora_E" in n]
    if not ranks:
        return
    kept = [sum(row) for row in model.peft_config["default"].rank_pattern.values()]
    assert ranks == kept
    assert sum(ranks) in (13, 26)
    assert sum(ranks) == 26 or 0 in ranks


def test_it_merges(saved: tuple) -> None:
    _, _, folder, _ = saved
    loaded = load(folder)
    before = logits(loaded)
    with pefts_noise():
        torch.testing.assert_close(logits(loaded.merge_and_unload()), before, rtol=1e-4, atol=1e-5)


def test_the_posterior_is_that_of_the_loaded_model(saved: tuple) -> None:
    _, _, folder, posterior = saved
    loaded, again = load(folder), load_posterior(folder)
    live = dict(loaded.named_parameters())
    assert again.mu.keys() == posterior.mu.keys()
    assert all(torch.equal(live[name], mean) for name, mean in again.mu.items())


def test_a_draw_of_the_whole_posterior_cut_down_is_a_draw_of_the_saved_one(saved: tuple) -> None:
    """Same noise in the full model, its pruned triplets out, and in the loaded one: same logits."""
    model, optimizer, folder, _ = saved
    layout = va.TripletLayout.from_model(model)
    pattern = model.peft_config["default"].rank_pattern
    kept = layout.kept_from_pattern(pattern) if pattern else [True] * layout.n_triplets
    whole = Posterior.from_optimizer(model, optimizer).pruned(layout, kept)
    drawn = whole.draw(torch.Generator().manual_seed(5))
    cut = Posterior(drawn, whole.sigma).pruned(layout, kept, resize=True).mu
    certain = {name: torch.zeros_like(value) for name, value in drawn.items()}
    nothing = {name: torch.zeros_like(value) for name, value in cut.items()}
    loaded = load(folder)
    generator = torch.Generator()
    with Posterior(drawn, certain).sampled(model, generator):
        expected = logits(model)
    with Posterior(cut, nothing).sampled(loaded, generator):
        torch.testing.assert_close(logits(loaded), expected)
    assert not torch.allclose(expected, logits(model))


def test_the_predictive_distribution_is_reproduced(saved: tuple) -> None:
    """Mean probabilities over draws of each agree within the error of the draws."""
    model, optimizer, folder, _ = saved
    layout = va.TripletLayout.from_model(model)
    pattern = model.peft_config["default"].rank_pattern
    kept = layout.kept_from_pattern(pattern) if pattern else [True] * layout.n_triplets
    sides = (
        (model, Posterior.from_optimizer(model, optimizer).pruned(layout, kept), 1),
        (load(folder), load_posterior(folder), 2),
    )
    means, errors = [], []
    for which, posterior, seed in sides:
        generator = torch.Generator().manual_seed(seed)
        draws = []
        for _ in range(150):
            with posterior.sampled(which, generator):
                draws.append(logits(which).softmax(-1)[:, 0])
        stacked = torch.stack(draws)
        means.append(stacked.mean(0))
        errors.append(stacked.var(0) / len(draws))
    assert (means[0] - means[1]).abs().le(5 * (errors[0] + errors[1]).sqrt() + 1e-6).all()


def test_without_a_posterior_only_the_adapter_is_saved(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    assert save_adapter(model, torch.optim.AdamW(trainable(model)), tmp_path) is None
    assert not (tmp_path / "posterior.safetensors").exists()
    with pytest.raises(LayoutError, match="is not a posterior that can be read"):
        load_posterior(tmp_path)


def test_a_pattern_of_an_earlier_training_cuts_nothing(saved: tuple, tmp_path: Path) -> None:
    """Loaded to be trained on, a pruned adapter keeps the pattern it was cut by before."""
    _, _, folder, _ = saved
    model = load_adapter(tiny_bert(seed=0), folder, is_trainable=True)
    optimizer = ivon_for(trainable(model))
    posterior = save_adapter(model, optimizer, tmp_path)
    assert posterior is not None
    live = dict(model.named_parameters())
    assert all(live[name].shape == mean.shape for name, mean in posterior.mu.items())


def test_an_adapter_of_another_name_is_refused(tmp_path: Path) -> None:
    model = lora(tiny_bert())
    with pefts_noise():
        model.add_adapter("second", peft.LoraConfig(target_modules="all-linear", r=2))
    with pytest.raises(LayoutError, match=r"named 'default'.*got default, second"):
        save_adapter(model, torch.optim.AdamW(trainable(model)), tmp_path)
