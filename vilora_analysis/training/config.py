"""Everything a run can be told."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vilora_analysis.budget import BudgetSchedule
from vilora_analysis.errors import ConfigError, nearest
from vilora_analysis.training.checks import as_path, check
from vilora_analysis.training.presets import CHOOSING, preset_values

__all__ = ["RunConfig", "configure"]

_LEARNING_RATES = {"ivon": 5.0, "adamw": 5e-3}
_PATHS = ("data_dir", "train_file", "validation_file", "out")
_PRIVATE = (*_PATHS, "resume", "on_error")


@dataclass(frozen=True)
class RunConfig:
    """Settings of one run; the defaults train the bundled encoder on the embedded task.

    :func:`configure` fills in what belongs to a method or to a preset. Paths may be text.
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
    """Run directory to be; by default runs/TASK-METHOD-OPTIMIZER-CRITERION-SEED, with the penalty
    in the criterion's place for allocation l1."""
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
    allocation: Literal["budget", "l1"] = "budget"
    """budget prunes by the criterion to target_rank. l1 prunes to no budget: an L1 penalty shrinks
    the singular values from tinit on, and those that are not 0 are kept (AdaLoRA)."""
    l1_penalty: float = 0.0
    """Weight of the L1 norm beside the loss, for allocation l1."""
    l1_metric: Literal["optimizer", "euclidean"] = "optimizer"
    """optimizer steps for the penalty as the optimizer does for the loss, so that a penalty means
    the same under every optimizer; euclidean subtracts lr times the penalty."""
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
    fast_penalty: bool = True
    """Compute that penalty from stacked matrices, the same to rounding as PEFT's loop over them."""
    max_length: int = 128
    """Longest sentence or pair, in tokens; what is beyond it, or the model's own limit, is cut."""
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
    scores: tuple[str, ...] = ("default",)
    """Scores to record, by name (snr@sum aggregates otherwise) or family: default, all, bridge."""
    record_every: int = 1
    """Steps between two recorded ones."""
    elements_every: int = 0
    """Steps between two full snapshots of all elements (large); 0 takes none."""
    fisher_every: int = 0
    """Steps between two measurements of the Fisher of single examples; 0 takes none."""
    fisher_examples: int = 64
    """Training examples of each such measurement, always the same."""
    checkpoint_every: int | None = None
    """Steps between two checkpoints to resume from; by default a tenth of the steps, 0 for none."""
    resume: bool = False
    """Go on from the last checkpoint in --out, if there is one; a finished run is left alone."""
    on_error: Literal["raise", "warn"] = "raise"
    """When the log or a checkpoint cannot be written (disk full, folder gone): raise stops with
    what was written whole, to be resumed; warn goes on training, run.json names the gap, and the
    checkpoint before stays."""

    def __post_init__(self) -> None:
        for name in _PATHS:
            object.__setattr__(self, name, as_path(name, getattr(self, name)))
        if self.on_error not in ("raise", "warn"):
            raise ConfigError(f"on_error {self.on_error!r} is neither 'raise' nor 'warn'")
        check(self)

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
        pruned = self.criterion if self.allocation == "budget" else f"l1={self.l1_penalty:g}"
        parts = (self.task, self.method, self.optimizer, pruned, self.seed)
        return Path("runs") / "-".join(map(str, parts)) if self.out is None else self.out

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest; without where the data lay."""
        values = dataclasses.asdict(self) | {"lr": self.learning_rate}
        if self.fast_penalty:  # the same settings as those of runs from before there was a choice
            del values["fast_penalty"]
        return {name: value for name, value in values.items() if name not in _PRIVATE}


def configure(**chosen: Any) -> RunConfig:
    """Build settings: what is given, the preset's for the rest.

    Parameters
    ----------
    **chosen
        Fields of :class:`RunConfig`. ``preset``, ``task``, ``method``, ``optimizer``,
        ``criterion``, ``allocation`` and ``target_rank`` choose the preset's values; ``scale``, or
        else ``steps``, shrinks its schedule.

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
