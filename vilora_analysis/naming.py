"""Names: a module's role in the transformer (W_q ... W_f2) and layer, and a score's aliases."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vilora_analysis.aggregation import is_well_spelled, split_name

__all__ = [
    "ALIASES",
    "MATRICES",
    "ROLES",
    "is_encoder_decoder",
    "matrix_and_layer",
    "score_column",
    "score_name",
]

ALIASES: dict[str, str] = {
    "ipt": "sensitivity",
    "mag": "mean_abs",
    "SNR": "snr",
    "SNR_mean_abs": "snr_abs",
    "mean": "mean_abs",
    "sigma": "inverse_std",
    "E_mean_abs": "expected_abs",
    "PLATON": "sensitivity",
}
"""Strings of the published code and of AdaLoRA's, and the name each has here.

PLATON (Zhang et al. 2022) is the upper-confidence product from which AdaLoRA took its own: Ī of the
same recursion, Ū of the same deviation ||θ g| − Ī|, score Ī·Ū. What differs is no formula: PLATON's
code averages |θ g| over 10 steps before smoothing and decays Ū with 0.95, PEFT smooths every step
with 0.85."""

MATRICES: tuple[str, ...] = ("W_q", "W_k", "W_v", "W_o", "W_f1", "W_f2")
"""The paper's order (Fig. 1): query, key, value, attention output, the two of the feed-forward."""

ROLES: tuple[str, ...] = tuple(
    f"{matrix}{of}" for of in ("", "_dec", "_cross") for matrix in MATRICES
)
"""All roles in the order they are drawn in. In an encoder-decoder model both halves have a layer 0,
so the decoder's matrices end in ``_dec``; those of attention to an encoder end in ``_cross``."""

# By the last parts of the path; the first that matches counts. BERT's family calls three different
# matrices `dense`, so the attention output comes before the feed-forward's.
_PATHS: tuple[tuple[str, str], ...] = (
    (r"(query|query_proj|q_proj|q_lin|\w*Attention\.q|q)", "W_q"),
    (r"(key|key_proj|k_proj|k_lin|\w*Attention\.k|k)", "W_k"),
    (r"(value|value_proj|v_proj|v_lin|\w*Attention\.v|v)", "W_v"),
    (
        r"(\w*attention\.output\.dense|\w*(attention|attn)\.dense|o_proj|out_proj|out_lin|attn\.Wo"
        r"|\w*(attention|attn)\.c_proj|\w*Attention\.o)",
        "W_o",
    ),
    (
        r"(intermediate\.dense|up_proj|fc1|fc_in|lin1|mlp\.Wi|mlp\.c_fc|dense_h_to_4h"
        r"|\w*Dense\.wi(_0)?)",
        "W_f1",
    ),
    (
        r"(output\.dense|down_proj|fc2|fc_out|lin2|mlp\.Wo|mlp\.c_proj|dense_4h_to_h|\w*Dense\.wo)",
        "W_f2",
    ),
)
_PATTERNS = tuple((re.compile(rf"(^|\.){pattern}$"), matrix) for pattern, matrix in _PATHS)
_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)(?:\.|$)")
_SUBLAYER = re.compile(r"^layer\.\d+\.")  # T5 counts attention and feed-forward within a layer
_CROSS = re.compile(r"(^|\.)(EncDecAttention|encoder_attn|cross_?attn|cross_?attention)(\.|$)")
_DECODER = re.compile(r"(^|\.)decoder\.")


def is_encoder_decoder(modules: Iterable[str]) -> bool:
    """Whether a model attends from one half to the other, by the paths of all its modules.

    One path does not tell: BART's decoder and the decoder-only OPT call their modules alike.

    Examples
    --------
    >>> is_encoder_decoder(["model.decoder.layers.0.encoder_attn"])
    True
    >>> is_encoder_decoder(["model.decoder.layers.0.self_attn"])
    False
    """
    return any(_CROSS.search(module) for module in modules)


def matrix_and_layer(module: str, *, encoder_decoder: bool = False) -> tuple[str, int | None]:
    """Role and layer of an adapted module.

    Parameters
    ----------
    module
        Path of the module in the model.
    encoder_decoder
        Whether the model has an encoder and a decoder, see :func:`is_encoder_decoder`; the roles
        of the decoder's matrices then say so.

    Returns
    -------
    matrix : str
        One of :data:`ROLES`, or the path itself (within its layer) where none applies.
    layer : int or None
        Number of the layer, from 0; None outside the layers.

    Examples
    --------
    >>> matrix_and_layer("bert.encoder.layer.3.attention.output.dense")
    ('W_o', 3)
    >>> matrix_and_layer("deberta.encoder.layer.0.attention.self.query_proj")
    ('W_q', 0)
    >>> matrix_and_layer("decoder.block.2.layer.1.EncDecAttention.q", encoder_decoder=True)
    ('W_q_cross', 2)
    >>> matrix_and_layer("decoder.block.2.layer.0.SelfAttention.q", encoder_decoder=True)
    ('W_q_dec', 2)
    >>> matrix_and_layer("model.layers.11.mlp.gate_proj")
    ('mlp.gate_proj', 11)
    >>> matrix_and_layer("deberta.pooler.dense")
    ('pooler.dense', None)
    """
    found = _LAYER.search(module)
    if not found:
        return ".".join(module.split(".")[-2:]), None
    layer = int(found[1])
    within = _SUBLAYER.sub("", module[found.end() :])
    decoder = encoder_decoder and bool(_DECODER.search(module[: found.start() + 1]))
    matrix = next((matrix for pattern, matrix in _PATTERNS if pattern.search(within)), None)
    if matrix is None:
        return f"decoder.{within}" if decoder else within, layer
    cross = _CROSS.search(within)
    return f"{matrix}{'_cross' if cross else '_dec' if decoder else ''}", layer


def score_name(name: str) -> str:
    """Name of a score here, for one that is called or spelled otherwise.

    Examples
    --------
    >>> score_name("ipt"), score_name("snr"), score_name("SNR@sum-BA")
    ('sensitivity', 'snr', 'snr@sum-AB')
    """
    if not is_well_spelled(name):
        return name
    base, aggregation = split_name(name)
    return ALIASES.get(base, base) + aggregation.suffix


def score_column(column: str) -> str:
    """Column of the triplets, for one with a published name of a score in it.

    Examples
    --------
    >>> score_column("score.SNR.A"), score_column("sigma_A")
    ('score.snr.A', 'sigma_A')
    """
    head, *rest = column.split(".")
    if head != "score" or not rest:
        return column
    return ".".join([head, score_name(rest[0]), *rest[1:]])
