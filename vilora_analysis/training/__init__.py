"""A whole run for those without a loop of their own: configuration, data, model, loop, evaluation.

The only room that imports transformers, peft, ivon and datasets; its configuration and its tasks
are plain data and load none of them.
"""

from vilora_analysis.training.config import RunConfig, configure
from vilora_analysis.training.tasks import TASKS, Task

__all__ = ["TASKS", "RunConfig", "Task", "configure"]
