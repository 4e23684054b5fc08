"""``vilora fisher``: the empirical Fisher of single examples, of a trained adapter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vilora_analysis.adapter import POSTERIOR_FILE, load_posterior
from vilora_analysis.fisher import fisher_columns, measure
from vilora_analysis.log import Run
from vilora_analysis.log.fisher import FisherFiles
from vilora_analysis.probes.subject import Adapted, config_of, load_adapted
from vilora_analysis.training.config import RunConfig
from vilora_analysis.training.data import load_task
from vilora_analysis.training.fisher import fixed_examples
from vilora_analysis.training.progress import progress_bar

if TYPE_CHECKING:
    from torch import Tensor

    from vilora_analysis.triplets import Factor

__all__ = ["FisherQuestion", "take_fisher"]


@dataclass(frozen=True)
class FisherQuestion:
    """What the Fisher is taken on.

    Attributes
    ----------
    examples
        Training examples, drawn without replacement; all if there are fewer.
    batch_size
        Examples that go through the model together; it changes no result.
    seed
        Of the draw.
    """

    examples: int = 256
    batch_size: int = 16
    seed: int = 0


def take_fisher(
    run: Run,
    question: FisherQuestion,
    data_dir: Path | None = None,
    *,
    progress: bool = True,
) -> FisherFiles:
    """Take the Fisher of single examples of a run's saved adapter, and write it beside the run.

    Parameters
    ----------
    run
        A finished run of ``vilora train``, with its adapter.
    question
        On how many examples, and so on.
    data_dir
        Where the task's data lies, as for the training.
    progress
        Whether to show a progress bar.

    Raises
    ------
    LogError
        If the run is not finished, or has no adapter.
    ConfigError
        If its model or data cannot be loaded, or there are too few examples.
    """
    config = config_of(run, data_dir)
    task, splits = load_task(config)
    adapted, rows = load_adapted(run, config, task), len(splits.train)
    total = min(question.examples, rows)
    batches = fixed_examples(
        adapted.encoder, task, splits.train, total, question.batch_size, seed=question.seed
    )
    with progress_bar(total, desc="fisher", unit="example", show=progress) as bar:
        measured = measure(adapted.model, adapted.layout, batches, tick=bar.update)
    columns = fisher_columns(
        measured,
        adapted.layout,
        min(config.batch_size, rows),
        ks=adapted.ks,
        posterior=_posterior(run, config, adapted, rows),
    )
    files = FisherFiles(run.path)
    files.write(columns, step=config.steps, source="adapter")
    return files


def _posterior(
    run: Run, config: RunConfig, adapted: Adapted, rows: int
) -> dict[str, dict[Factor, Tensor]]:
    """Sigma as it was saved, and h as it follows from it; nothing without a posterior."""
    folder, layout = run.path / "adapter", adapted.layout
    if not (folder / POSTERIOR_FILE).exists():
        return {}
    saved = load_posterior(folder)
    sigma = layout.gather(saved.sigma[name] for name in layout.parameter_names).double()
    ess = config.ess or float(rows)
    hess = 1 / (ess * sigma.square()) - config.weight_decay
    return {"sigma": layout.reduce(sigma, "rms"), "hess": layout.reduce(hess, "mean")}
