"""Matrix and layer of every adapted module, on the modules that transformers really builds."""

from __future__ import annotations

import pytest
import torch
import transformers

from vilora_analysis.naming import MATRICES, matrix_and_layer

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
}

# architecture -> configuration, and the matrices of the six that it has as a module of its own
ARCHITECTURES = {
    "bert": (transformers.BertConfig(**SMALL), set(MATRICES)),
    "roberta": (transformers.RobertaConfig(**SMALL), set(MATRICES)),
    "electra": (transformers.ElectraConfig(**SMALL, embedding_size=16), set(MATRICES)),
    "deberta-v2": (transformers.DebertaV2Config(**SMALL), set(MATRICES)),
    "distilbert": (
        transformers.DistilBertConfig(vocab_size=40, dim=16, hidden_dim=24, n_layers=2, n_heads=2),
        set(MATRICES),
    ),
    # query, key and value are one fused matrix
    "modernbert": (
        transformers.ModernBertConfig(**SMALL, pad_token_id=0, cls_token_id=1, sep_token_id=2),
        {"W_o", "W_f1", "W_f2"},
    ),
    "llama": (transformers.LlamaConfig(**SMALL, num_key_value_heads=2), set(MATRICES)),
    "gpt2": (
        transformers.GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2),
        {"W_o", "W_f1", "W_f2"},
    ),
}


def linear_names(config: transformers.PretrainedConfig) -> list[str]:
    model = transformers.AutoModel.from_config(config)
    kinds = (torch.nn.Linear, transformers.pytorch_utils.Conv1D)
    return [name for name, module in model.named_modules() if isinstance(module, kinds)]


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_roles_of_real_modules(architecture: str) -> None:
    config, expected = ARCHITECTURES[architecture]
    found: dict[tuple[str, int], list[str]] = {}
    for name in linear_names(config):
        matrix, layer = matrix_and_layer(name)
        if layer is not None and matrix in MATRICES:
            found.setdefault((matrix, layer), []).append(name)
    assert {matrix for matrix, _ in found} == expected
    assert {layer for _, layer in found} == {0, 1}
    # no two modules of one layer may take the same role
    assert all(len(names) == 1 for names in found.values()), found


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("bert.pooler.dense", ("pooler.dense", None)),
        ("deberta.encoder.layer.11.output.dense", ("W_f2", 11)),
        ("bert.encoder.layer.4.attention.output.dense", ("W_o", 4)),
        ("encoder.block.2.layer.0.SelfAttention.q", ("W_q", 2)),
        ("encoder.block.2.layer.1.DenseReluDense.wo", ("W_f2", 2)),
        ("model.layers.3.mlp.gate_proj", ("mlp.gate_proj", 3)),
        ("layers.0.attn.Wqkv", ("attn.Wqkv", 0)),
        ("value", ("value", None)),
    ],
)
def test_roles_by_name(module: str, expected: tuple[str, int | None]) -> None:
    assert matrix_and_layer(module) == expected
