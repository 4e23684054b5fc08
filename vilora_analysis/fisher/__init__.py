"""The empirical Fisher of single examples: their gradients, the moments, the law of batches."""

from vilora_analysis.fisher.example import (
    example_fisher,
    example_gradients,
    example_losses,
    penalty_gradient,
    undisturbed,
)
from vilora_analysis.fisher.moments import GradientMoments
from vilora_analysis.fisher.table import Measured, fisher_columns, measure

__all__ = [
    "GradientMoments",
    "Measured",
    "example_fisher",
    "example_gradients",
    "example_losses",
    "fisher_columns",
    "measure",
    "penalty_gradient",
    "undisturbed",
]
