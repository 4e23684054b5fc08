"""A trained adapter on disk: as plain PEFT loads it, with its posterior beside it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilora_analysis.errors import LayoutError
from vilora_analysis.posterior import Posterior, has_posterior
from vilora_analysis.triplets import TripletLayout

if TYPE_CHECKING:
    from torch.optim import Optimizer

__all__ = ["POSTERIOR_FILE", "load_posterior", "save_adapter", "write_adapter"]

POSTERIOR_FILE = "posterior.safetensors"


def save_adapter(model: Any, optimizer: Optimizer, folder: str | Path) -> Posterior | None:
    """Save a PEFT adapter (or a whole model) and, beside it, the posterior it was trained with.

    Call it after the recording was closed: from then on the model's configuration says which
    triplets were kept, and PEFT drops the others.

    Parameters
    ----------
    model
        The trained model.
    optimizer
        The optimizer it was trained with; without a posterior only the adapter is saved.
    folder
        Where to.

    Returns
    -------
    Posterior or None
        What was saved, its tensors resized like the adapter.

    Raises
    ------
    LayoutError
        If the model has several adapters, or one of another name than PEFT's default.
    """
    posterior = Posterior.from_optimizer(model, optimizer) if has_posterior(optimizer) else None
    return write_adapter(model, posterior, folder)


def write_adapter(model: Any, posterior: Posterior | None, folder: str | Path) -> Posterior | None:
    """Save an adapter and a posterior that is at hand; see :func:`save_adapter`.

    Raises
    ------
    LayoutError
        If the model has several adapters, or one of another name than PEFT's default.
    """
    names = list(getattr(model, "peft_config", None) or {})
    if names and names != ["default"]:
        raise LayoutError(
            f"expected one adapter, named 'default', as PEFT loads it again; got {', '.join(names)}"
        )
    pattern = _rank_pattern(model)
    if posterior is not None and pattern:
        layout = TripletLayout.from_model(model)
        kept = layout.kept_from_pattern(pattern)
        # of an adapter that was pruned before this training, PEFT cuts nothing either
        if len(kept) == layout.n_triplets:
            posterior = posterior.pruned(layout, kept, resize=True)
    with warnings.catch_warnings():
        # PEFT takes a matrix whose rank was pruned to 0 for a shard that was not gathered
        warnings.filterwarnings("ignore", message=r".*LoRA tensor\(s\) have invalid shape")
        options = {"save_embedding_layers": False} if hasattr(model, "peft_config") else {}
        model.save_pretrained(folder, **options)
    if posterior is not None:
        posterior.save(Path(folder) / POSTERIOR_FILE)
    return posterior


def load_posterior(folder: str | Path) -> Posterior:
    """Load the posterior saved beside an adapter.

    Its names are those of the model that ``PeftModel.from_pretrained`` makes of the same folder.

    Raises
    ------
    LayoutError
        If there is none.
    """
    return Posterior.load(Path(folder) / POSTERIOR_FILE)


def _rank_pattern(model: Any) -> Any:
    """What AdaLoRA kept, as PEFT has it; LoRA's rank_pattern is something else."""
    configs = (getattr(model, "peft_config", None) or {}).values()
    return next((c.rank_pattern for c in configs if hasattr(c, "tinit") and c.rank_pattern), None)
