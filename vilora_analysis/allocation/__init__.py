"""Who is kept: budget schedule, exact top-k, and the allocator that stands where PEFT's stands."""

from vilora_analysis.allocation.allocator import Allocation, ScoreAllocator
from vilora_analysis.allocation.selection import Rule, select, triplet_score
from vilora_analysis.budget import BudgetSchedule

__all__ = ["Allocation", "BudgetSchedule", "Rule", "ScoreAllocator", "select", "triplet_score"]
