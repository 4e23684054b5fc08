"""The layout against a naive walk over PEFT's own modules."""

from __future__ import annotations

import peft
import pytest
import torch
import transformers

from tests.conftest import adalora, lora, tiny_bert
from vilora_analysis.errors import LayoutError
from vilora_analysis.triplets import REDUCTIONS, TripletLayout, published_sum

NAIVE = {
    "mean": torch.mean,
    "sum": torch.sum,
    "max": torch.max,
    "l2": lambda row: row.square().sum().sqrt(),
    "rms": lambda row: row.square().mean().sqrt(),
}


def naive_triplets(model: peft.PeftModel) -> list[tuple[str, int, dict[str, torch.Tensor]]]:
    """(module, k, elements by factor), by walking PEFT's layers and slicing one at a time."""
    found = []
    for name, layer in model.named_modules():
        if isinstance(layer, peft.tuners.adalora.SVDLinear):
            rows, columns = layer.lora_A["default"], layer.lora_B["default"]
            for k in range(rows.shape[0]):
                elements = {"E": layer.lora_E["default"][k], "A": rows[k], "B": columns[:, k]}
                found.append((name.removeprefix("base_model.model."), k, elements))
    return found


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("how", list(REDUCTIONS))
def test_reduction_equals_a_loop_over_triplets(model: peft.PeftModel, how: str) -> None:
    randomised(model)
    layout = TripletLayout.from_model(model)
    live = dict(model.named_parameters())
    flat = layout.gather(live[name] for name in layout.parameter_names)
    got = layout.reduce(flat, how)
    for index, (_, _, elements) in enumerate(naive_triplets(model)):
        for factor, row in elements.items():
            expected = row if factor == "E" else NAIVE[how](row)
            torch.testing.assert_close(got[factor][index], expected.squeeze(), rtol=1e-5, atol=1e-6)


def test_triplets_are_numbered_in_model_order(model: peft.PeftModel) -> None:
    layout = TripletLayout.from_model(model)
    assert layout.triplet_names == tuple(f"{n}[{k}]" for n, k, _ in naive_triplets(model))
    assert layout.n_triplets == 13 * 3
    assert layout.factors == ("E", "A", "B")


def test_every_element_knows_its_triplet(model: peft.PeftModel) -> None:
    """Writes the triplet's number into each element, then asks where each element belongs."""
    layout = TripletLayout.from_model(model)
    number = {name: i for i, name in enumerate(layout.triplet_names)}
    with torch.no_grad():
        for index, (_, _, elements) in enumerate(naive_triplets(model)):
            for row in elements.values():
                row.fill_(index)
    live = dict(model.named_parameters())
    flat = layout.gather(live[name] for name in layout.parameter_names)
    assert flat.shape == (layout.n_elements,)
    for element in range(layout.n_elements):
        module, k, _ = layout.locate(element)
        assert number[f"{module}[{k}]"] == int(flat[element])
    with pytest.raises(IndexError):
        layout.locate(layout.n_elements)


def test_a_batch_of_scores_is_reduced_at_once(model: peft.PeftModel) -> None:
    layout = TripletLayout.from_model(model)
    flats = torch.randn(4, layout.n_elements)
    together = layout.reduce(flats)
    for row in range(4):
        alone = layout.reduce(flats[row])
        for factor in layout.factors:
            torch.testing.assert_close(together[factor][row], alone[factor])


def test_published_sum_is_value_plus_two_means(model: peft.PeftModel) -> None:
    randomised(model)
    layout = TripletLayout.from_model(model)
    live = dict(model.named_parameters())
    flat = layout.gather(live[name] for name in layout.parameter_names)
    got = published_sum(layout.reduce(flat))
    expected = [e["E"].sum() + e["A"].mean() + e["B"].mean() for _, _, e in naive_triplets(model)]
    torch.testing.assert_close(got, torch.stack(expected), rtol=1e-5, atol=1e-6)


def test_lora_pairs_are_triplets_without_a_value() -> None:
    layout = TripletLayout.from_model(lora(tiny_bert()))
    assert layout.factors == ("A", "B")
    assert layout.n_triplets == 13 * 3
    assert published_sum(layout.reduce(torch.ones(layout.n_elements))).tolist() == [2.0] * 39


def test_bfloat16_parameters_are_laid_out_in_float32(model: peft.PeftModel) -> None:
    layout = TripletLayout.from_model(model)
    live = dict(model.named_parameters())
    flat = layout.gather(live[name].bfloat16() for name in layout.parameter_names)
    assert flat.dtype == torch.float32


def test_a_model_without_adapter_is_refused() -> None:
    with pytest.raises(LayoutError, match=r"no trainable LoRA or AdaLoRA .*get_peft_model"):
        TripletLayout.from_model(tiny_bert())


def test_two_trainable_adapters_are_refused() -> None:
    model = lora(tiny_bert())
    model.add_adapter("second", peft.LoraConfig(r=2, target_modules="all-linear"))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)
    with pytest.raises(LayoutError, match="one trainable adapter, got default, second"):
        TripletLayout.from_model(model)


def test_a_loaded_rank_pattern_is_understood_with_and_without_adapter_name() -> None:
    model = adalora(tiny_bert())
    layout = TripletLayout.from_model(model)
    kept = [i % 3 > 0 for i in range(39)]
    pattern = {key: kept[3 * i : 3 * i + 3] for i, key in enumerate(layout.pattern_keys)}
    shortened = {key.removesuffix(".default"): row for key, row in pattern.items()}
    assert layout.kept_from_pattern(pattern) == layout.kept_from_pattern(shortened) == kept


def test_the_halves_of_an_encoder_decoder_model_are_told_apart() -> None:
    config = transformers.T5Config(
        vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2
    )
    names = ["q", "k", "v", "o", "wi", "wo"]
    model = adalora(transformers.T5ForSequenceClassification(config), target_modules=names)
    places = [(m.matrix, m.layer) for m in TripletLayout.from_model(model).modules]
    assert len(places) == len(set(places)) == 32
    assert {"W_q", "W_q_dec", "W_q_cross"} <= {matrix for matrix, _ in places}
