"""Who is kept, by budget and score or by a penalty: what stands where PEFT's allocator stands."""

from vilora_analysis.allocation.allocator import ScoreAllocator
from vilora_analysis.allocation.base import Allocation, Allocator
from vilora_analysis.allocation.metric import Metric
from vilora_analysis.allocation.proximal import ProximalAllocator, soft_threshold
from vilora_analysis.allocation.selection import Rule, select, triplet_score
from vilora_analysis.budget import BudgetSchedule

__all__ = [
    "Allocation",
    "Allocator",
    "BudgetSchedule",
    "Metric",
    "ProximalAllocator",
    "Rule",
    "ScoreAllocator",
    "select",
    "soft_threshold",
    "triplet_score",
]
