"""What each table of a log holds: Arrow schemas whose fields say meaning, unit and source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from vilora_analysis.aggregation import split_name
from vilora_analysis.inputs import INPUTS
from vilora_analysis.log.manifest import ScoreRow

__all__ = [
    "EVENTS",
    "KEYS",
    "METRICS",
    "RECORDED_INPUTS",
    "REDUCED_BY",
    "describe",
    "elements_schema",
    "triplets_schema",
]

RECORDED_INPUTS: tuple[str, ...] = ("mu", "sigma", "grad", "hess", "fisher_batch")
"""Inputs of scores that have columns of their own, where the optimizer has them."""

KEYS: tuple[str, ...] = ("step", "module", "layer", "matrix", "k", "kept")

_TEXT = pa.dictionary(pa.int32(), pa.string())

REDUCED_BY: dict[str, str] = {
    "mu": "rms",
    "sigma": "rms",
    "grad": "rms",
    "hess": "mean",
    "fisher_batch": "mean",
}
"""How an input's elements become one number a row of A or column of B.

What has the unit of the weight or the gradient is squared first, so that signs do not cancel and
the square is the mean of squares that hess and fisher are compared with; E keeps its sign."""

_WORDS = {
    "rms": "root mean square",
    "mean": "mean",
    "sum": "sum",
    "max": "maximum",
    "l2": "Euclidean norm",
}
_SPAN = {"E": "value E_k", "A": "row k of A", "B": "column k of B"}


def _field(
    name: str, kind: pa.DataType, meaning: str, *, unit: str = "1", source: str = "", null: bool
) -> pa.Field:
    metadata = {"meaning": meaning, "unit": unit, "source": source}
    return pa.field(name, kind, nullable=null, metadata={k: v for k, v in metadata.items() if v})


_STEP = _field(
    "step", pa.int64(), "optimizer steps taken, from 1", unit="steps", source="recorder", null=False
)

METRICS = pa.schema(
    [
        _STEP,
        _field("name", _TEXT, "which metric: loss, lr, seconds, accuracy, ...", null=False),
        _field(
            "value",
            pa.float64(),
            "its value; lr in the optimizer's unit, seconds since the last step, clip_rate the "
            "share of adapter elements whose step IVON cut at its clip radius",
            source="recorder or training loop",
            null=False,
        ),
    ]
)
"""Long format: a metric that nobody announced beforehand does not change the schema."""

EVENTS = pa.schema(
    [
        _STEP,
        _field("budget", pa.int64(), "triplets to keep", unit="triplets", null=False),
        _field(
            "threshold",
            pa.float64(),
            "largest score that was pruned; null if nothing was",
            unit="the criterion's",
            source="allocator",
            null=True,
        ),
        _field("n_kept", pa.int64(), "triplets kept", unit="triplets", null=False),
        _field("pruned", pa.list_(pa.string()), "newly pruned, as module[k]", null=False),
        _field("revived", pa.list_(pa.string()), "kept again, as module[k]", null=False),
    ]
)


def _key_fields() -> list[pa.Field]:
    return [
        _STEP,
        _field("module", _TEXT, "path of the adapted weight in the base model", null=False),
        _field("layer", pa.int16(), "layer number from 0; null outside the layers", null=True),
        _field(
            "matrix",
            _TEXT,
            "W_q, W_k, W_v, W_o, W_f1, W_f2, in an encoder-decoder model's decoder with _dec, or "
            "_cross for attention to the encoder; else the module's name",
            null=False,
        ),
        _field("k", pa.int32(), "triplet within the module, from 0", null=False),
    ]


def triplets_schema(
    inputs: Iterable[str], scores: Sequence[ScoreRow], factors: Sequence[str]
) -> pa.Schema:
    """Schema of ``triplets``: one row a step, module and k.

    Parameters
    ----------
    inputs
        Recorded inputs that are there, some of :data:`RECORDED_INPUTS`.
    scores
        Recorded scores; each has a column for its triplet score and, unless it is one of whole
        triplets, one for the part of each factor that counts.
    factors
        E, A, B for AdaLoRA; A, B for LoRA.
    """
    kept = _field(
        "kept", pa.bool_(), "kept by the latest decision, this step's included", null=False
    )
    fields = [*_key_fields(), kept]
    for name in inputs:
        item = INPUTS[name]
        for factor in factors:
            how = "" if factor == "E" else f", {_WORDS[REDUCED_BY[name]]} over {_SPAN[factor]}"
            fields.append(
                _field(
                    f"{name}_{factor}",
                    pa.float32(),
                    f"{item.symbol}: {item.meaning}{how}",
                    unit=item.unit,
                    source=f"{item.origin} of the trained model",
                    null=False,
                )
            )
    return pa.schema([*fields, *(f for score in scores for f in _score_fields(score, factors))])


def _score_fields(score: ScoreRow, factors: Sequence[str]) -> list[pa.Field]:
    """The score of the triplet and, if it is one of elements, what each factor adds to it."""
    total = f"score.{score.name}"
    if score.level == "triplet":
        return [_score_field(total, f"{score.equation}; of the whole triplet", score)]
    _, aggregation = split_name(score.name)
    counted = aggregation.among(factors)
    over = f"{_WORDS[aggregation.reduce]} over "
    rule = " + ".join("E" if f == "E" else f"{over}{_SPAN[f]}" for f in counted)
    parts = [
        _score_field(
            f"{total}.{f}", f"{score.equation}; {'' if f == 'E' else over}{_SPAN[f]}", score
        )
        for f in counted
    ]
    return [_score_field(total, f"{score.equation}; {rule}", score), *parts]


def _score_field(name: str, meaning: str, score: ScoreRow) -> pa.Field:
    unit = "see the equation"
    return _field(name, pa.float32(), meaning, unit=unit, source=score.source, null=False)


def elements_schema(inputs: Iterable[str]) -> pa.Schema:
    """Schema of ``elements``: one row a step, module, k and factor, each value a vector."""
    factor = _field("factor", _TEXT, "E, row k of A, or column k of B", null=False)
    vectors = [
        _field(
            name,
            pa.list_(pa.float32()),
            f"{INPUTS[name].symbol}: {INPUTS[name].meaning}",
            unit=INPUTS[name].unit,
            source=f"{INPUTS[name].origin} of the trained model",
            null=False,
        )
        for name in inputs
    ]
    return pa.schema([*_key_fields(), factor, *vectors])


def describe(schema: pa.Schema) -> dict[str, Mapping[str, str]]:
    """Meaning, unit and source of each column, as plain text.

    Examples
    --------
    >>> describe(METRICS)["step"]["unit"]
    'steps'
    """

    def decode(metadata: Any) -> dict[str, str]:
        return {key.decode(): value.decode() for key, value in (metadata or {}).items()}

    return {field.name: decode(field.metadata) for field in schema}
