"""Importance scores: small pure functions in one registry.

To add a score, write one function in one file and decorate it with :func:`score`; see
``published.py`` for the paper's own, ``wider.py`` for those of the literature on pruning and
``wider_triplets.py`` for scores of whole triplets; ``bridge.py`` holds what lies between
sensitivity and snr. Nothing else has to know of it. How elements
become one number a triplet is a second axis, named after an ``@`` as in ``snr@sum``, see
:mod:`vilora_analysis.aggregation`.
"""

from vilora_analysis.aggregation import Aggregation
from vilora_analysis.inputs import CONTEXT, INPUTS, Input
from vilora_analysis.scores import breakdown as breakdown
from vilora_analysis.scores import bridge as bridge
from vilora_analysis.scores import published as published
from vilora_analysis.scores import wider as wider
from vilora_analysis.scores import wider_triplets as wider_triplets
from vilora_analysis.scores.definition import Score
from vilora_analysis.scores.registry import (
    ALIASES,
    compute,
    family,
    get,
    names,
    requirements,
    score,
    unregister,
)
from vilora_analysis.scores.smoothing import Smoothing

__all__ = [
    "ALIASES",
    "CONTEXT",
    "INPUTS",
    "Aggregation",
    "Input",
    "Score",
    "Smoothing",
    "compute",
    "family",
    "get",
    "names",
    "requirements",
    "score",
    "unregister",
]
