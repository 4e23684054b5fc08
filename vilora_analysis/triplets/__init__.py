"""Which element belongs to which triplet, and where the optimizer keeps it."""

from vilora_analysis.triplets.binding import Binding, unwrap_optimizer
from vilora_analysis.triplets.buffers import Buffers
from vilora_analysis.triplets.discovery import AdaptedModule
from vilora_analysis.triplets.layout import TripletLayout
from vilora_analysis.triplets.reduction import FACTORS, REDUCTIONS, Factor, published_sum

__all__ = [
    "FACTORS",
    "REDUCTIONS",
    "AdaptedModule",
    "Binding",
    "Buffers",
    "Factor",
    "TripletLayout",
    "published_sum",
    "unwrap_optimizer",
]
