"""A task whose answer is known: a teacher with low-rank updates planted into known modules.

The teacher is the encoder plus updates of known rank; the student is the same encoder with AdaLoRA
in every linear layer, and learns to give the teacher's outputs. Whether a score finds the modules
and ranks that were planted can then be counted.
"""

from vilora_analysis.probes.planted.task import PlantedTask, draw_ranks

__all__ = ["PlantedTask", "draw_ranks"]
