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

    from vilora_analysis.posterior import Posterior
    from vilora_analysis.training.models import Encoder
    from vilora_analysis.training.tasks import Task

__all__ = ["METRICS", "calibration_error", "evaluate", "predict", "predict_sampled"]


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
    """What the model says with the weights it has: probabilities, or values of a regression.

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
        with encoder.autocast():
            logits = model(**batch).logits.float()
        outputs.append((logits if task.regression else logits.softmax(-1)).cpu().numpy())
    model.train(training)
    stacked = np.concatenate(outputs)
    return stacked[np.argsort(order)]


def predict_sampled(
    encoder: Encoder,
    task: Task,
    frame: pd.DataFrame,
    posterior: Posterior,
    *,
    samples: int,
    seed: int = 0,
) -> np.ndarray:
    """Mean of the predictions over samples of the posterior: probabilities, not logits.

    Parameters
    ----------
    encoder, task, frame
        As for :func:`predict`.
    posterior
        What to draw the weights from.
    samples
        How many draws.
    seed
        Of the draws; the random numbers of training are left alone.
    """
    generator = torch.Generator().manual_seed(seed)
    total = np.zeros((len(frame), task.outputs))
    for _ in range(samples):
        with posterior.sampled(encoder.model, generator):
            total += predict(encoder, task, frame)
    return total / samples


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of the predicted class (Guo et al. 2017, equation 3).

    Predictions are put into bins of equal width by their confidence; the error is the mean over
    predictions of |accuracy - mean confidence| of their bin.

    Parameters
    ----------
    labels
        Class ids, shape (rows,).
    probabilities
        Shape (rows, classes).
    bins
        Number of bins, each open to the left.

    Examples
    --------
    >>> calibration_error(np.array([0, 1]), np.array([[0.8, 0.2], [0.8, 0.2]])).__round__(3)
    0.3
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=right.astype(float) - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def evaluate(
    encoder: Encoder,
    task: Task,
    splits: dict[str, pd.DataFrame],
    posterior: Posterior | None = None,
    *,
    samples: int = 0,
    seed: int = 0,
) -> dict[str, float]:
    """Metrics of the task on each split, and for classes the calibration error.

    Parameters
    ----------
    encoder, task, splits
        What is evaluated on what.
    posterior, samples, seed
        Where given, :func:`predict_sampled` is evaluated as well.

    Returns
    -------
    dict
        By metric, the split's name appended where there are several, ``sampled_`` before those of
        averaged predictions.
    """
    results: dict[str, float] = {}
    for split, frame in splits.items():
        suffix = f"_{split.removeprefix('validation_')}" if len(splits) > 1 else ""
        judged = _judge(task, frame, predict(encoder, task, frame))
        if posterior is not None and samples:
            averaged = predict_sampled(encoder, task, frame, posterior, samples=samples, seed=seed)
            judged |= {f"sampled_{k}": v for k, v in _judge(task, frame, averaged).items()}
        results |= {name + suffix: value for name, value in judged.items()}
    return results


def _judge(task: Task, frame: pd.DataFrame, outputs: np.ndarray) -> dict[str, float]:
    labels = frame["label"].to_numpy()
    predictions = outputs[:, 0] if task.regression else outputs.argmax(1)
    judged = {name: METRICS[name](labels, predictions) for name in task.metrics}
    return judged if task.regression else judged | {"ece": calibration_error(labels, outputs)}
