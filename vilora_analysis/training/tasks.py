"""Tasks: which columns are read, what the labels are called, how a prediction is judged."""

from __future__ import annotations

from dataclasses import dataclass

from vilora_analysis.errors import ConfigError, nearest

__all__ = ["TASKS", "Task", "get_task"]


@dataclass(frozen=True)
class Task:
    """A sentence or sentence-pair task.

    Attributes
    ----------
    name
        Name on the command line and of the data's folder.
    texts
        One or two text columns.
    labels
        Names of the classes in the order of their ids; empty for a regression.
    metrics
        Metrics by name (``evaluation.METRICS``), the first being the one that counts.
    validation
        Splits to evaluate on.
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    validation: tuple[str, ...] = ("validation",)

    @property
    def regression(self) -> bool:
        """Whether the label is a number rather than a class."""
        return not self.labels

    @property
    def outputs(self) -> int:
        """Outputs of the model."""
        return len(self.labels) or 1


_ENTAILMENT = ("entailment", "not_entailment")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("acceptability", ("sentence",), ("unacceptable", "acceptable"), ("accuracy",)),
        Task("cola", ("sentence",), ("unacceptable", "acceptable"), ("matthews", "accuracy")),
        Task("sst2", ("sentence",), ("negative", "positive"), ("accuracy",)),
        Task(
            "mrpc",
            ("sentence1", "sentence2"),
            ("not_equivalent", "equivalent"),
            ("accuracy", "f1"),
        ),
        Task("stsb", ("sentence1", "sentence2"), (), ("pearson", "spearman")),
        Task("qqp", ("question1", "question2"), ("not_duplicate", "duplicate"), ("accuracy", "f1")),
        Task(
            "mnli",
            ("premise", "hypothesis"),
            ("entailment", "neutral", "contradiction"),
            ("accuracy",),
            ("validation_matched", "validation_mismatched"),
        ),
        Task("qnli", ("question", "sentence"), _ENTAILMENT, ("accuracy",)),
        Task("rte", ("sentence1", "sentence2"), _ENTAILMENT, ("accuracy",)),
    )
}
"""The embedded task, and GLUE (Wang et al. 2019) with the metrics of the paper's Table I first."""


def get_task(name: str) -> Task:
    """Look up a task.

    Raises
    ------
    ConfigError
        If there is none; the message suggests the nearest names.

    Examples
    --------
    >>> get_task("stsb").regression
    True
    """
    if name not in TASKS:
        hint = nearest(name, TASKS)
        raise ConfigError(f"no task named {name!r}; {hint}Known: {', '.join(TASKS)}")
    return TASKS[name]
