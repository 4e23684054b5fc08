"""Importance scores: small pure functions in one registry.

To add a score, write one function in one file and decorate it with :func:`score`; see
``published.py`` for the paper's own. Nothing else has to know of it.
"""

from vilora_analysis.inputs import INPUTS, Input
from vilora_analysis.scores import published as published
from vilora_analysis.scores.registry import (
    ALIASES,
    Score,
    compute,
    get,
    names,
    requirements,
    score,
    unregister,
)
from vilora_analysis.scores.smoothing import Smoothing

__all__ = [
    "ALIASES",
    "INPUTS",
    "Input",
    "Score",
    "Smoothing",
    "compute",
    "get",
    "names",
    "requirements",
    "score",
    "unregister",
]
