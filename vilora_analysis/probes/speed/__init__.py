"""What a training step costs, of variants that train side by side on the same batches."""

from vilora_analysis.probes.speed.question import SpeedQuestion
from vilora_analysis.probes.speed.variants import Variant

__all__ = ["SpeedQuestion", "Variant"]
