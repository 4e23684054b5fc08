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
    rows
        Rows of the whole training split, which published schedules are counted in; 0 if there is
        none.
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    validation: tuple[str, ...] = ("validation",)
    rows: int = 0

    @property
    def regression(self) -> bool:
        """Whether the label is a number rather than a class."""
        return not self.labels

    @property
    def outputs(self) -> int:
        """Outputs of the model."""
        return len(self.labels) or 1


_ENTAILMENT = ("entailment", "not_entailment")

_MNLI = ("entailment", "neutral", "contradiction")
_JUDGED = ("unacceptable", "acceptable")
_PAIR = ("sentence1", "sentence2")
_QUESTIONS = ("question1", "question2")
_DUPLICATE = ("not_duplicate", "duplicate")
_MATCHED = ("validation_matched", "validation_mismatched")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("acceptability", ("sentence",), _JUDGED, ("accuracy",)),
        Task("cola", ("sentence",), _JUDGED, ("matthews", "accuracy"), rows=8551),
        Task("sst2", ("sentence",), ("negative", "positive"), ("accuracy",), rows=67349),
        Task("mrpc", _PAIR, ("not_equivalent", "equivalent"), ("accuracy", "f1"), rows=3668),
        Task("stsb", _PAIR, (), ("pearson", "spearman"), rows=5749),
        Task("qqp", _QUESTIONS, _DUPLICATE, ("accuracy", "f1"), rows=363846),
        Task("mnli", ("premise", "hypothesis"), _MNLI, ("accuracy",), _MATCHED, rows=392702),
        Task("qnli", ("question", "sentence"), _ENTAILMENT, ("accuracy",), rows=104743),
        Task("rte", _PAIR, _ENTAILMENT, ("accuracy",), rows=2490),
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
