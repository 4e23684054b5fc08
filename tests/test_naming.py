"""Matrix and layer of every adapted module, on the modules that transformers really builds."""

from __future__ import annotations

import pytest
import torch
import transformers

from vilora_analysis.naming import MATRICES, ROLES, is_encoder_decoder, matrix_and_layer

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
}

# the decoder attends to itself and to the encoder, and has one feed-forward
PAIRED = {role for role in ROLES if role not in ("W_f1_cross", "W_f2_cross")}
FUSED = {"W_o", "W_f1", "W_f2"}  # query, key and value are one matrix

# architecture -> configuration, and the roles that it has as a module of its own
ARCHITECTURES = {
    "bert": (transformers.BertConfig(**SMALL), set(MATRICES)),
    "roberta": (transformers.RobertaConfig(**SMALL), set(MATRICES)),
    "electra": (transformers.ElectraConfig(**SMALL, embedding_size=16), set(MATRICES)),
    "deberta-v2": (transformers.DebertaV2Config(**SMALL), set(MATRICES)),
    "distilbert": (
        transformers.DistilBertConfig(vocab_size=40, dim=16, hidden_dim=24, n_layers=2, n_heads=2),
        set(MATRICES),
    ),
    "modernbert": (
        transformers.ModernBertConfig(**SMALL, pad_token_id=0, cls_token_id=1, sep_token_id=2),
        FUSED,
    ),
    "llama": (transformers.LlamaConfig(**SMALL, num_key_value_heads=2), set(MATRICES)),
    "gpt2": (
        transformers.GPT2Config(
            vocab_size=40, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2
        ),
        FUSED,
    ),
    "qwen2": (transformers.Qwen2Config(**SMALL, num_key_value_heads=2), set(MATRICES)),
    "opt": (
        transformers.OPTConfig(
            vocab_size=40,
            hidden_size=16,
            ffn_dim=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            word_embed_proj_dim=16,
            max_position_embeddings=32,
        ),
        set(MATRICES),
    ),
    "gpt-neox": (transformers.GPTNeoXConfig(**SMALL), FUSED),
    "phi": (transformers.PhiConfig(**SMALL), set(MATRICES)),
    "falcon": (
        transformers.FalconConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2
        ),
        FUSED,
    ),
    "t5": (
        transformers.T5Config(
            vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2
        ),
        PAIRED,
    ),
    "t5, gated": (
        transformers.T5Config(
            vocab_size=40,
            d_model=16,
            d_kv=8,
            d_ff=24,
            num_layers=2,
            num_heads=2,
            feed_forward_proj="gated-gelu",
        ),
        PAIRED,
    ),
    "bart": (
        transformers.BartConfig(
            vocab_size=40,
            d_model=16,
            encoder_layers=2,
            decoder_layers=2,
            encoder_ffn_dim=24,
            decoder_ffn_dim=24,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            max_position_embeddings=32,
            eos_token_id=2,
            decoder_start_token_id=2,
        ),
        PAIRED,
    ),
}


def modules_of(config: transformers.PretrainedConfig) -> tuple[list[str], list[str]]:
    """Paths of the linear modules, and of all."""
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(config)
    kinds = (torch.nn.Linear, transformers.pytorch_utils.Conv1D)
    linear = [name for name, module in model.named_modules() if isinstance(module, kinds)]
    return linear, [name for name, _ in model.named_modules()]


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_roles_of_real_modules(architecture: str) -> None:
    config, expected = ARCHITECTURES[architecture]
    linear, every = modules_of(config)
    paired = is_encoder_decoder(every)
    found: dict[tuple[str, int], list[str]] = {}
    for name in linear:
        matrix, layer = matrix_and_layer(name, encoder_decoder=paired)
        if layer is not None:
            found.setdefault((matrix, layer), []).append(name)
    assert {matrix for matrix, _ in found if matrix in ROLES} == expected
    assert {layer for _, layer in found} == {0, 1}
    # no two modules of one layer may take the same role, nor the same name
    assert all(len(names) == 1 for names in found.values()), found


def test_an_encoder_without_its_decoder_keeps_plain_names() -> None:
    config, _ = ARCHITECTURES["t5"]
    with torch.device("meta"):
        model = transformers.T5EncoderModel(config)
    names = [name for name, _ in model.named_modules()]
    assert not is_encoder_decoder(names)
    q = next(name for name in names if name.endswith("SelfAttention.q"))
    assert matrix_and_layer(q) == ("W_q", 0)


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
        ("gpt_neox.layers.1.attention.query_key_value", ("attention.query_key_value", 1)),
        ("transformer.h.1.mlp.fc_in", ("W_f1", 1)),
        ("bert.encoder.layer.1.crossattention.output.dense", ("W_o_cross", 1)),
        ("encoder.block.2.layer.1.DenseReluDense.wi_1", ("DenseReluDense.wi_1", 2)),
        ("model.decoder.layers.1.self_attn.q_proj", ("W_q", 1)),
        ("model.decoder.layers.1.encoder_attn.q_proj", ("W_q_cross", 1)),
    ],
)
def test_roles_by_name(module: str, expected: tuple[str, int | None]) -> None:
    assert matrix_and_layer(module) == expected


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("model.encoder.layers.1.self_attn.q_proj", ("W_q", 1)),
        ("model.decoder.layers.1.self_attn.q_proj", ("W_q_dec", 1)),
        ("model.decoder.layers.1.fc1", ("W_f1_dec", 1)),
        ("decoder.block.2.layer.2.DenseReluDense.wi_1", ("decoder.DenseReluDense.wi_1", 2)),
        # two models in one, the second a BERT that attends to the first
        ("encoder.encoder.layer.1.attention.self.query", ("W_q", 1)),
        ("decoder.bert.encoder.layer.1.attention.self.query", ("W_q_dec", 1)),
        ("decoder.bert.encoder.layer.1.crossattention.self.query", ("W_q_cross", 1)),
    ],
)
def test_roles_in_an_encoder_decoder_model(module: str, expected: tuple[str, int]) -> None:
    assert matrix_and_layer(module, encoder_decoder=True) == expected
