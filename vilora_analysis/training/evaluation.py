"""How good is the model: predictions over a split, and the task's metrics of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vilora_analysis.errors import require

if TYPE_CHECKING:
    import pandas as pd

    from vilora_analysis.training.models import Encoder
    from vilora_analysis.training.tasks import Task

__all__ = ["METRICS", "evaluate", "predict"]


def _sklearn(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    def metric(labels: np.ndarray, predictions: np.ndarray) -> float:
        return float(getattr(require("sklearn.metrics", extra="train"), name)(labels, predictions))

    return metric


def _correlation(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    def metric(labels: np.ndarray, predictions: np.ndarray) -> float:
        from scipy import stats

        if np.ptp(predictions) == 0 or np.ptp(labels) == 0:
            return math.nan  # a constant has no correlation
        return float(getattr(stats, name)(labels, predictions).statistic)

    return metric


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": _sklearn("accuracy_score"),
    "f1": _sklearn("f1_score"),
    "matthews": _sklearn("matthews_corrcoef"),
    "pearson": _correlation("pearsonr"),
    "spearman": _correlation("spearmanr"),
}
"""From labels and predictions (classes, or values of a regression) to one number."""


@torch.no_grad()
def predict(
    encoder: Encoder, task: Task, frame: pd.DataFrame, *, batch_size: int = 64
) -> np.ndarray:
    """Outputs of the model at its mean weights.

    Returns
    -------
    ndarray
        Shape (rows, outputs), in the order of the rows.
    """
    model: Any = encoder.model
    training = model.training
    model.eval()
    texts = [frame[column].tolist() for column in task.texts]
    # longest first: batches of like length waste the least on padding
    order = np.argsort([-sum(map(len, row)) for row in zip(*texts, strict=True)], kind="stable")
    outputs: list[np.ndarray] = []
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = encoder.encode([[column[i] for i in chosen] for column in texts])
        outputs.append(model(**batch).logits.float().cpu().numpy())
    model.train(training)
    stacked = np.concatenate(outputs)
    return stacked[np.argsort(order)]


def evaluate(encoder: Encoder, task: Task, splits: dict[str, pd.DataFrame]) -> dict[str, float]:
    """Metrics of the task on each split.

    Returns
    -------
    dict
        By metric, the split's name appended where there are several.
    """
    results = {}
    for split, frame in splits.items():
        outputs = predict(encoder, task, frame)
        predictions = outputs[:, 0] if task.regression else outputs.argmax(1)
        suffix = f"_{split.removeprefix('validation_')}" if len(splits) > 1 else ""
        for name in task.metrics:
            results[name + suffix] = METRICS[name](frame["label"].to_numpy(), predictions)
    return results
