"""The empirical Fisher of single examples, taken of a model between two steps of its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vilora_analysis.fisher import fisher_columns, measure
from vilora_analysis.log.fisher import FisherFiles
from vilora_analysis.triplets import TripletLayout

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from vilora_analysis.training.config import RunConfig
    from vilora_analysis.training.models import Encoder
    from vilora_analysis.training.tasks import Task

__all__ = ["fixed_examples", "record_fisher"]


def fixed_examples(
    encoder: Encoder, task: Task, frame: pd.DataFrame, examples: int, batch_size: int, *, seed: int
) -> Iterator[tuple[Mapping[str, Any], Tensor]]:
    """Draw rows without replacement, and cut them into batches, the longest texts first.

    Parameters
    ----------
    encoder, task, frame
        What encodes which rows.
    examples
        How many; all if there are fewer.
    batch_size
        Examples that go through the model together.
    seed
        Of the draw; the random numbers of the training are left alone.
    """
    rows = np.random.default_rng([seed, examples]).permutation(len(frame))[:examples]
    texts = [frame[column].to_numpy() for column in task.texts]
    ordered = sorted(rows.tolist(), key=lambda i: (-sum(len(column[i]) for column in texts), i))
    for start in range(0, len(ordered), batch_size):
        yield encoder.encode_rows(task, frame.iloc[ordered[start : start + batch_size]])


def record_fisher(
    config: RunConfig, encoder: Encoder, task: Task, train: pd.DataFrame, step: int
) -> None:
    """Write ``fisher/step-NNNNNN.parquet``; nothing about the training changes.

    Parameters
    ----------
    config
        The run's settings.
    encoder
        The adapted model, at the posterior mean.
    task, train
        The training rows.
    step
        Optimizer steps taken.
    """
    layout = TripletLayout.from_model(encoder.model)
    batches = fixed_examples(
        encoder, task, train, config.fisher_examples, config.batch_size, seed=config.seed
    )
    measured = measure(encoder.model, layout, batches)
    size = min(config.batch_size, len(train))
    columns = fisher_columns(measured, layout, size)
    FisherFiles(config.directory).write(columns, step=step, source="training")
