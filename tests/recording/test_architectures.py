"""The recorder depends on no module name of BERT's: other encoders, random and tiny."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import peft
import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, ivon_for, trainable
from vilora_analysis.log import check_run
from vilora_analysis.naming import MATRICES

SMALL = {
    "vocab_size": 60,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    "num_labels": 2,
}
SIX = dict.fromkeys(MATRICES, 2)

ENCODERS = {
    # the released DeBERTa-v3 settings, made small
    "deberta-v3": (
        transformers.DebertaV2Config(
            **SMALL,
            relative_attention=True,
            position_buckets=8,
            pos_att_type=["p2c", "c2p"],
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            type_vocab_size=0,
            pooler_hidden_size=16,
        ),
        {**SIX, "pooler.dense": 1},
    ),
    "roberta": (transformers.RobertaConfig(**SMALL), SIX),
    "electra": (transformers.ElectraConfig(**SMALL, embedding_size=16), SIX),
    # query, key and value are one matrix, and the head has a layer of its own
    "modernbert": (
        transformers.ModernBertConfig(
            **SMALL, pad_token_id=0, cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2
        ),
        {"attn.Wqkv": 2, "W_o": 2, "W_f1": 2, "W_f2": 2, "head.dense": 1},
    ),
}


@pytest.mark.parametrize("name", list(ENCODERS))
def test_an_encoder_is_pruned_and_recorded_under_its_own_names(name: str, tmp_path: Path) -> None:
    config, expected = ENCODERS[name]
    torch.manual_seed(0)
    model = adalora(
        transformers.AutoModelForSequenceClassification.from_config(config),
        tinit=2,
        tfinal=2,
        total_step=10,
    )
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, tmp_path / "run", criterion="snr") as recording:
        for _ in range(10):
            ids = torch.randint(3, 60, (4, 7))
            with va.sampled_parameters(optimizer):
                mask = torch.ones_like(ids)
                model(input_ids=ids, attention_mask=mask, labels=ids[:, 0] % 2).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        assert recording.n_kept == 2 * sum(expected.values())
    run = va.open_run(tmp_path / "run")
    assert Counter(module.matrix for module in run.manifest.modules) == expected
    layers = {module.layer for module in run.manifest.modules if module.matrix in MATRICES}
    assert layers == {0, 1}
    assert check_run(run.path) == []


DECODERS = {
    "llama": (
        transformers.LlamaConfig(**SMALL, num_key_value_heads=1),
        {**SIX, "mlp.gate_proj": 2},
    ),
    # query, key and value are one matrix, stored transposed
    "gpt2": (
        transformers.GPT2Config(
            vocab_size=60, n_embd=16, n_inner=24, n_layer=2, n_head=2, n_positions=32
        ),
        {"attn.c_attn": 2, "W_o": 2, "W_f1": 2, "W_f2": 2},
    ),
}


@pytest.mark.parametrize("name", list(DECODERS))
def test_a_causal_language_model_goes_through_the_same_recorder(name: str, tmp_path: Path) -> None:
    config, expected = DECODERS[name]
    torch.manual_seed(0)
    settings = {"tinit": 2, "tfinal": 2, "total_step": 10, "deltaT": 1, "init_r": 3, "target_r": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about transposed layers, which it handles
        model = peft.get_peft_model(
            transformers.AutoModelForCausalLM.from_config(config),
            peft.AdaLoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", **settings),
        )
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, tmp_path / "run", criterion="snr") as recording:
        for _ in range(10):
            ids = torch.randint(3, 60, (4, 7))
            with va.sampled_parameters(optimizer):
                model(input_ids=ids, labels=ids).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        assert recording.n_kept == 2 * sum(expected.values())
    run = va.open_run(tmp_path / "run")
    assert Counter(module.matrix for module in run.manifest.modules) == expected
    assert {module.layer for module in run.manifest.modules} == {0, 1}
    assert check_run(run.path) == []
    model.save_pretrained(tmp_path / "adapter")
