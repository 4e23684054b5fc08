"""The posterior: read at one instant, drawn from for a step, saved with the adapter."""

from vilora_analysis.posterior.clipping import Clipping, read_means
from vilora_analysis.posterior.distribution import Posterior
from vilora_analysis.posterior.sampling import sampled_parameters
from vilora_analysis.posterior.snapshot import (
    Snapshot,
    has_posterior,
    read_gradient,
    take_snapshot,
)

__all__ = [
    "Clipping",
    "Posterior",
    "Snapshot",
    "has_posterior",
    "read_gradient",
    "read_means",
    "sampled_parameters",
    "take_snapshot",
]
