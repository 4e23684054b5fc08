"""From a module's path to its role in the transformer: matrix (W_q ... W_f2) and layer number."""

from __future__ import annotations

import re

__all__ = ["MATRICES", "matrix_and_layer"]

MATRICES: tuple[str, ...] = ("W_q", "W_k", "W_v", "W_o", "W_f1", "W_f2")
"""The paper's order (Fig. 1): query, key, value, attention output, the two of the feed-forward."""

# By the last parts of the path; the first that matches counts. BERT's family calls three different
# matrices `dense`, so the attention output comes before the feed-forward's.
_ROLES: tuple[tuple[str, str], ...] = (
    (r"(query|query_proj|q_proj|q_lin|SelfAttention\.q|q)", "W_q"),
    (r"(key|key_proj|k_proj|k_lin|SelfAttention\.k|k)", "W_k"),
    (r"(value|value_proj|v_proj|v_lin|SelfAttention\.v|v)", "W_v"),
    (
        r"(attention\.output\.dense|o_proj|out_proj|out_lin|attn\.Wo|attn\.c_proj|\w*Attention\.o)",
        "W_o",
    ),
    (r"(intermediate\.dense|up_proj|fc1|lin1|mlp\.Wi|mlp\.c_fc|\w*Dense\.wi(_0)?)", "W_f1"),
    (r"(output\.dense|down_proj|fc2|lin2|mlp\.Wo|mlp\.c_proj|\w*Dense\.wo)", "W_f2"),
)
_PATTERNS = tuple((re.compile(rf"(^|\.){pattern}$"), matrix) for pattern, matrix in _ROLES)
_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)(?:\.|$)")


def matrix_and_layer(module: str) -> tuple[str, int | None]:
    """Role and layer of an adapted module.

    Parameters
    ----------
    module
        Path of the module in the model.

    Returns
    -------
    matrix : str
        One of :data:`MATRICES`, or the path itself (within its layer) where none applies.
    layer : int or None
        Number of the layer, from 0; None outside the layers.

    Examples
    --------
    >>> matrix_and_layer("bert.encoder.layer.3.attention.output.dense")
    ('W_o', 3)
    >>> matrix_and_layer("deberta.encoder.layer.0.attention.self.query_proj")
    ('W_q', 0)
    >>> matrix_and_layer("model.layers.11.mlp.gate_proj")
    ('mlp.gate_proj', 11)
    >>> matrix_and_layer("deberta.pooler.dense")
    ('pooler.dense', None)
    """
    found = _LAYER.search(module)
    layer = int(found[1]) if found else None
    within = module[found.end() :] if found else module
    for pattern, matrix in _PATTERNS:
        if found and pattern.search(within):
            return matrix, layer
    return within if found else ".".join(module.split(".")[-2:]), layer
