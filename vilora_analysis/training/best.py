"""The best model of a run so far, by the first metric of its task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.adapter import write_adapter
from vilora_analysis.posterior import Posterior, has_posterior
from vilora_analysis.training import processes
from vilora_analysis.training.checkpoint import load_checkpoint, save_checkpoint, weights
from vilora_analysis.triplets import TripletLayout

if TYPE_CHECKING:
    from torch.optim import Optimizer

__all__ = ["Best"]


class Best:
    """Best evaluation so far, and the weights it was of, on disk.

    The budget need not have been reached when a model was best: its step and the triplets it kept
    are reported with it.

    Parameters
    ----------
    directory
        The run directory.
    """

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "checkpoint"
        self._state: dict[str, Any] = {"value": -math.inf}

    def offer(
        self,
        metric: str,
        results: Mapping[str, float],
        step: int,
        kept: Sequence[bool] | None,
        model: Any,
        optimizer: Optimizer,
    ) -> None:
        """Take this model if it is better than the best so far; the earlier of two that tie.

        Raises
        ------
        LogError
            If it cannot be written; then the best so far stays.
        """
        value = results[metric]
        if not value > self._state["value"]:  # nan is not
            return
        kept = None if kept is None else list(kept)
        before = self._state
        self._state = {"value": value, "step": step, "kept": kept, "results": dict(results)}
        try:
            self._save(model, optimizer)
        except BaseException:
            self._state = before  # what is reported is what there is an adapter of
            raise

    def _save(self, model: Any, optimizer: Optimizer) -> None:
        if processes.is_main():
            posterior = (
                Posterior.from_optimizer(model, optimizer) if has_posterior(optimizer) else None
            )
            save_checkpoint(
                self._path,
                {
                    "weights": weights(model),
                    "sigma": None if posterior is None else dict(posterior.sigma),
                },
            )

    @property
    def _path(self) -> Path:
        """By step: one that is found after the last checkpoint must not replace what that knows."""
        return self._folder / f"best-{self._state.get('step', 0)}.pt"

    def tidy(self) -> None:
        """Delete former bests, once a checkpoint knows of this one."""
        for path in self._folder.glob("best-*.pt"):
            if path != self._path:
                path.unlink()

    def results(self) -> dict[str, float]:
        """What is reported of it, for the manifest."""
        if "step" not in self._state:
            return {}
        found = {f"best_{name}": value for name, value in self._state["results"].items()}
        kept = self._state["kept"]
        budget = {} if kept is None else {"best_budget_kept": sum(kept)}
        return {**found, "best_step": self._state["step"], **budget}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of it; the weights have a file of their own."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the state of another process."""
        self._state = dict(state)

    @torch.no_grad()
    def save_adapter(self, model: Any, folder: Path) -> None:
        """Save the best model as PEFT does; the model is left with its weights."""
        saved = load_checkpoint(self._path) if "step" in self._state else None
        if saved is None:
            return
        model.load_state_dict(saved["weights"], strict=False)
        posterior = None
        if saved["sigma"] is not None:
            posterior = Posterior(
                {name: saved["weights"][name] for name in saved["sigma"]}, saved["sigma"]
            )
        self._set_pattern(model)
        write_adapter(model, posterior, folder)

    def _set_pattern(self, model: Any) -> None:
        """Let PEFT's configuration say what was kept then."""
        kept, configs = self._state["kept"], getattr(model, "peft_config", None) or {}
        for config in configs.values():
            if hasattr(config, "tinit"):
                config.rank_pattern = (
                    None if kept is None else TripletLayout.from_model(model).pattern(kept)
                )
