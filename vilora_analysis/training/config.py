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
from vilora_analysis.errors import ConfigError, nearest
from vilora_analysis.training.presets import CHOOSING, preset_values
from vilora_analysis.training.tasks import get_task

__all__ = ["RunConfig", "configure"]

_LEARNING_RATES = {"ivon": 5.0, "adamw": 5e-3}
_PRIVATE = ("data_dir", "train_file", "validation_file", "out", "resume")


@dataclass(frozen=True)
class RunConfig:
    """Settings of one run; the defaults train the bundled encoder on the embedded task.

    :func:`configure` fills in what belongs to a method or to a preset.
    """

    task: str = "acceptability"
    """acceptability (embedded), or of GLUE: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte; with
    --train-file any name."""
    data_dir: Path | None = None
    """Folder with TASK/{train,validation}.parquet in GLUE's layout; by default the hub."""
    train_file: Path | None = None
    """Rows of your own to train on: CSV, JSON (lines or array) or Parquet."""
    validation_file: Path | None = None
    """Rows of your own to evaluate on."""
    text_columns: tuple[str, ...] = ()
    """Column, or two columns, of your own files that hold the texts."""
    label_column: str = "label"
    """Column of your own files that holds the label; fractions make it a regression."""
    model: str = "bundled"
    """Hub id or local path of an encoder; 'bundled' is all-MiniLM-L6-v2 from the extra 'demo'."""
    out: Path | None = None
    """Run directory to be; by default runs/TASK-METHOD-OPTIMIZER-CRITERION-SEED."""
    preset: Literal["live-posterior", "paper"] = "live-posterior"
    """Where the settings come from that are not given: 'paper' the published ones of the task,
    'live-posterior' ones whose Hessian moves within a short run."""
    scale: float = 1.0
    """Shrinks the preset's schedule: steps, warm-up, tinit, tfinal, allocate_every, eval_every."""
    method: Literal["adalora", "lora", "full_ft"] = "adalora"
    """What is trained: AdaLoRA or LoRA on every linear layer, or all weights."""
    optimizer: Literal["ivon", "adamw"] = "ivon"
    """IVON keeps a posterior (mu, sigma); AdamW does not."""
    criterion: str = "snr"
    """Score to prune by (see `vilora scores`), or 'none' to observe without pruning."""
    steps: int = 600
    """Optimizer steps; given beside --preset paper, shrinks its schedule to fit."""
    batch_size: int = 32
    """Sentences a step, over all processes."""
    lr: float | None = None
    """Peak learning rate; by default 5 for IVON, 5e-3 for AdamW."""
    lr_schedule: Literal["linear", "two_level"] = "linear"
    """linear: rise to lr, fall to 0. two_level: rise to first_lr, stay until first_steps, then fall
    from lr to 0."""
    warmup_steps: int | None = None
    """Steps over which the learning rate rises; by default 6%."""
    first_lr: float | None = None
    """First level of the two_level schedule."""
    first_steps: int = 0
    """Steps at the first level of the two_level schedule, warm-up included."""
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
    """Rank of every matrix at the start (AdaLoRA)."""
    target_rank: int = 4
    """Average rank at the end (AdaLoRA); the rank (LoRA)."""
    alpha: float = 128.0
    """Scale of the update, divided by the rank at the start (published: 16 or 32)."""
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
    bf16: bool = False
    """Compute the forward pass in bfloat16; weights and posterior stay in float32."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass, for less memory."""
    seed: int = 0
    """Seed of the weights, the data's order and the posterior's noise."""
    eval_every: int = 0
    """Steps between two evaluations; 0 evaluates at the end only."""
    eval_samples: int = 0
    """Posterior samples whose predictions are averaged, beside those at the mean (IVON)."""
    record_every: int = 1
    """Steps between two recorded ones."""
    elements_every: int = 0
    """Steps between two full snapshots of all elements (large); 0 takes none."""
    checkpoint_every: int | None = None
    """Steps between two checkpoints to resume from; by default a tenth of the steps, 0 for none."""
    resume: bool = False
    """Go on from the last checkpoint in --out, if there is one; a finished run is left alone."""

    def __post_init__(self) -> None:
        self._check_data()
        if self.optimizer not in _LEARNING_RATES:
            raise ConfigError(f"optimizer {self.optimizer!r} is neither 'ivon' nor 'adamw'")
        if self.method not in ("adalora", "lora", "full_ft"):
            raise ConfigError(f"method {self.method!r} is none of 'adalora', 'lora', 'full_ft'")
        self._check_numbers()
        self._check_criterion()
        if self.method == "adalora":
            self.schedule(matrices=1)

    def _check_data(self) -> None:
        if self.train_file is None:
            get_task(self.task)
            if self.validation_file or self.text_columns:
                raise ConfigError("validation_file and text_columns go with train_file; give it")
        elif not (self.validation_file and 1 <= len(self.text_columns) <= 2):
            raise ConfigError(
                "train_file needs validation_file, and text_columns with one or two column names"
            )
        if self.task == "acceptability" and self.data_dir is not None:
            raise ConfigError("task acceptability is generated; leave --data-dir out")

    def _check_numbers(self) -> None:
        counts = ("steps", "batch_size", "init_rank", "max_length", "record_every", "scale")
        positive = (*counts, "alpha", "allocate_every", "hess_init", "clip_radius")
        self._require(positive, lambda value: value > 0, "must be greater than 0")
        optional = ("lr", "first_lr")
        self._require(optional, lambda value: value is None or value > 0, "must be above 0")
        natural = ("ess", "weight_decay", "orth_reg_weight", "eval_every", "elements_every", "seed")
        counted = ("checkpoint_every", "warmup_steps", "first_steps", "eval_samples", "target_rank")
        self._require(
            (*natural, *counted), lambda value: value is None or value >= 0, "must not be negative"
        )
        self._require(("beta1", "beta2"), lambda value: 0 <= value < 1, "lies in [0, 1)")
        finite = ("ess", "weight_decay", "hess_init", "alpha", "orth_reg_weight", "scale")
        self._require(
            (*optional, *finite), lambda value: value is None or value < math.inf, "must be finite"
        )
        self._require(("seed",), lambda value: value < 2**32, "must be below 2^32")
        if self.lr_schedule == "two_level" and not (
            self.first_lr and self.warmup <= self.first_steps < self.steps
        ):
            raise ConfigError(
                f"lr_schedule two_level needs first_lr, and warmup_steps {self.warmup} <= "
                f"first_steps {self.first_steps} < steps {self.steps}"
            )
        if self.warmup > self.steps:
            raise ConfigError(f"warmup_steps {self.warmup} exceed the {self.steps} steps")

    def _require(self, names: Iterable[str], holds: Callable[[Any], bool], rule: str) -> None:
        for name in names:
            if not holds(getattr(self, name)):
                raise ConfigError(f"{name} = {getattr(self, name)}: {rule}")

    def _check_criterion(self) -> None:
        if self.eval_samples and self.optimizer != "ivon":
            raise ConfigError(f"eval_samples need a posterior; {self.optimizer} keeps none")
        if self.method == "lora" and not self.target_rank:
            raise ConfigError("target_rank = 0: LoRA needs a rank of at least 1")
        if self.criterion == "none":
            return
        if self.method != "adalora":
            raise ConfigError(
                f"method {self.method} has no singular values to prune; criterion must be 'none', "
                f"got {self.criterion!r}"
            )
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
    def warmup(self) -> int:
        """Warm-up in steps, the default filled in."""
        return round(0.06 * self.steps) if self.warmup_steps is None else self.warmup_steps

    @property
    def checkpoints(self) -> int:
        """Steps between two checkpoints, the default filled in; 0 for none."""
        return -(-self.steps // 10) if self.checkpoint_every is None else self.checkpoint_every

    @property
    def directory(self) -> Path:
        """Run directory, the default name filled in."""
        parts = (self.task, self.method, self.optimizer, self.criterion, self.seed)
        return Path("runs") / "-".join(map(str, parts)) if self.out is None else self.out

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest; without where the data lay."""
        values = dataclasses.asdict(self) | {"lr": self.learning_rate}
        return {name: value for name, value in values.items() if name not in _PRIVATE}


def configure(**chosen: Any) -> RunConfig:
    """Build settings: what is given, the preset's for the rest.

    Parameters
    ----------
    **chosen
        Fields of :class:`RunConfig`. ``preset``, ``task``, ``method``, ``optimizer``, ``criterion``
        and ``target_rank`` choose the preset's values; ``scale``, or else ``steps``, shrinks its
        schedule.

    Raises
    ------
    ConfigError
        If a field is unknown, the preset has no settings for what is chosen, or the settings
        contradict each other.

    Examples
    --------
    >>> config = configure(preset="paper", task="rte", criterion="snr", target_rank=2, scale=0.1)
    >>> config.steps, config.lr_schedule, config.tinit, config.first_steps
    (390, 'two_level', 60, 40)
    >>> configure(method="lora").optimizer
    'adamw'
    """
    known = {field.name for field in dataclasses.fields(RunConfig)}
    if unknown := sorted(set(chosen) - known):
        hint = nearest(unknown[0], known)
        raise ConfigError(f"no setting named {unknown[0]!r}; {hint}see vilora train --help")
    choice = {name: chosen[name] for name in CHOOSING if name in chosen}
    return RunConfig(**{**preset_values(**choice), **chosen})
