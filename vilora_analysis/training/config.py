"""Everything a run can be told, checked before anything heavy is loaded."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vilora_analysis import scores
from vilora_analysis.budget import BudgetSchedule
from vilora_analysis.errors import ConfigError
from vilora_analysis.training.tasks import get_task

__all__ = ["RunConfig"]

_LEARNING_RATES = {"ivon": 5.0, "adamw": 5e-3}


@dataclass(frozen=True)
class RunConfig:
    """Settings of one run; the defaults train the bundled encoder on the embedded task."""

    task: str = "acceptability"
    """acceptability (embedded), or of GLUE: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet in GLUE's layout; by default the hub."""
    model: str = "bundled"
    """Hub id or local path of an encoder; 'bundled' is all-MiniLM-L6-v2 from the extra 'demo'."""
    out: Path | None = None
    """Run directory to be; by default runs/TASK-OPTIMIZER-CRITERION-SEED."""
    optimizer: Literal["ivon", "adamw"] = "ivon"
    """IVON keeps a posterior (mu, sigma); AdamW does not."""
    criterion: str = "snr"
    """Score to prune by (see `vilora scores`), or 'none' to observe without pruning."""
    steps: int = 600
    """Optimizer steps."""
    batch_size: int = 32
    """Sentences a step."""
    lr: float | None = None
    """Peak learning rate; by default 5 for IVON, 5e-3 for AdamW."""
    warmup: float = 0.06
    """Share of the steps over which the learning rate rises; then it falls to 0 linearly."""
    weight_decay: float = 1e-8
    """Weight decay, delta in sigma = 1/sqrt(ess (hess + delta))."""
    ess: float = 1e8
    """IVON's effective sample size, lambda; 0 takes the number of training rows, as published."""
    hess_init: float = 0.1
    """IVON's initial Hessian (published: 1)."""
    beta1: float = 0.9
    """IVON's momentum of the gradient."""
    beta2: float = 0.99
    """IVON's momentum of the Hessian (published: 0.99999, which takes 10^5 steps to move it)."""
    clip_radius: float = 0.01
    """IVON's bound on each preconditioned step (published: 1e-3)."""
    init_rank: int = 6
    """Rank of every matrix at the start."""
    target_rank: int = 4
    """Average rank at the end."""
    alpha: float = 128.0
    """Scale of the update, divided by init_rank (published: 16 or 32)."""
    tinit: int | None = None
    """Steps before the first pruning; by default 15% of the steps."""
    tfinal: int | None = None
    """Steps after the last pruning; by default 40% of the steps."""
    allocate_every: int = 1
    """Steps between two prunings (PEFT's deltaT)."""
    orth_reg_weight: float = 0.1
    """Weight of AdaLoRA's orthogonality penalty."""
    max_length: int = 128
    """Longest sentence or pair, in tokens."""
    seed: int = 0
    """Seed of the weights, the data's order and the posterior's noise."""
    eval_every: int = 0
    """Steps between two evaluations; 0 evaluates at the end only."""
    record_every: int = 1
    """Steps between two recorded ones."""
    elements_every: int = 0
    """Steps between two full snapshots of all elements (large); 0 takes none."""

    def __post_init__(self) -> None:
        get_task(self.task)
        if self.task == "acceptability" and self.data_dir is not None:
            raise ConfigError("task acceptability is generated; leave --data-dir out")
        if self.optimizer not in _LEARNING_RATES:
            raise ConfigError(f"optimizer {self.optimizer!r} is neither 'ivon' nor 'adamw'")
        self._check_numbers()
        self._check_criterion()
        self.schedule(matrices=1)

    def _check_numbers(self) -> None:
        counts = ("steps", "batch_size", "init_rank", "max_length", "record_every")
        positive = (*counts, "alpha", "allocate_every", "hess_init", "clip_radius")
        self._require(positive, lambda value: value > 0, "must be greater than 0")
        self._require(("lr",), lambda value: value is None or value > 0, "must be above 0")
        natural = ("ess", "weight_decay", "orth_reg_weight", "eval_every", "elements_every", "seed")
        self._require(natural, lambda value: value >= 0, "must not be negative")
        self._require(("beta1", "beta2", "warmup"), lambda value: 0 <= value < 1, "lies in [0, 1)")
        finite = ("lr", "ess", "weight_decay", "hess_init", "alpha", "orth_reg_weight")
        self._require(finite, lambda value: value is None or value < math.inf, "must be finite")
        self._require(("seed",), lambda value: value < 2**32, "must be below 2^32")

    def _require(self, names: Iterable[str], holds: Callable[[Any], bool], rule: str) -> None:
        for name in names:
            if not holds(getattr(self, name)):
                raise ConfigError(f"{name} = {getattr(self, name)}: {rule}")

    def _check_criterion(self) -> None:
        if self.criterion == "none":
            return
        score = scores.get(self.criterion)
        if score.needs_posterior and self.optimizer != "ivon":
            free = [name for name in scores.names() if not scores.get(name).needs_posterior]
            raise ConfigError(
                f"criterion {score.name!r} needs a posterior, which {self.optimizer} does not "
                f"keep; use --optimizer ivon, or one of: {', '.join(free)}"
            )

    def schedule(self, matrices: int) -> BudgetSchedule:
        """Budget of a model with so many adapted matrices.

        Raises
        ------
        ConfigError
            If the schedule is impossible; the message says what to change.
        """
        share = {"tinit": 0.15, "tfinal": 0.4}
        given = {"tinit": self.tinit, "tfinal": self.tfinal}
        return BudgetSchedule(
            init_budget=self.init_rank * matrices,
            target_budget=self.target_rank * matrices,
            total_steps=self.steps,
            allocate_every=self.allocate_every,
            **{
                name: round(share[name] * self.steps) if value is None else value
                for name, value in given.items()
            },
        )

    @property
    def learning_rate(self) -> float:
        """Peak learning rate, the optimizer's default filled in."""
        return _LEARNING_RATES[self.optimizer] if self.lr is None else self.lr

    @property
    def directory(self) -> Path:
        """Run directory, the default name filled in."""
        name = f"{self.task}-{self.optimizer}-{self.criterion}-{self.seed}"
        return Path("runs") / name if self.out is None else self.out

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest; without where the data lay."""
        values = dataclasses.asdict(self) | {"lr": self.learning_rate}
        for private in ("data_dir", "out"):
            del values[private]
        return values
