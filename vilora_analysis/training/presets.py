"""Settings that belong together: the published ones, and ones with a live posterior."""

from __future__ import annotations

import csv
import math
from importlib import resources
from typing import Any

from vilora_analysis.errors import ConfigError, nearest
from vilora_analysis.training.tasks import get_task

__all__ = ["CHOOSING", "PRESETS", "preset_values"]

CHOOSING: tuple[str, ...] = (
    "preset",
    "task",
    "method",
    "optimizer",
    "criterion",
    "allocation",
    "target_rank",
    "scale",
    "steps",
)
"""Settings that decide which values a preset gives."""

PRESETS: tuple[str, ...] = ("live-posterior", "paper")

_WHOLE = {"tinit", "tfinal", "allocate_every", "max_length", "batch_size", "eval_every"}
_WHOLE |= {"warmup_steps", "first_steps"}
_SCALED = (
    *("steps", "warmup_steps", "first_steps", "tinit", "tfinal"),
    *("allocate_every", "eval_every", "record_every"),
)

_PUBLISHED_IVON = {
    "ess": 0.0,  # the number of training rows
    "hess_init": 1.0,
    "beta1": 0.9,
    "beta2": 0.99999,
    "clip_radius": 1e-3,
}


def preset_values(
    *,
    preset: str = "live-posterior",
    task: str = "acceptability",
    method: str = "adalora",
    optimizer: str | None = None,
    criterion: str | None = None,
    allocation: str = "budget",
    target_rank: int = 4,
    scale: float | None = None,
    steps: int | None = None,
) -> dict[str, Any]:
    """Fields of :class:`RunConfig` that a preset gives for a system.

    Parameters
    ----------
    preset
        One of :data:`PRESETS`.
    task, target_rank
        Which published cell.
    method, optimizer, criterion
        The system. By default AdaLoRA is trained by IVON, the others by AdamW; AdaLoRA is pruned by
        snr under IVON, by sensitivity under AdamW.
    allocation
        Without a budget, no score prunes by default.
    scale
        Factor on the schedule; by default what makes it as long as ``steps``.
    steps
        Optimizer steps that are asked for, if any.

    Raises
    ------
    ConfigError
        If there is no such preset, or nothing was published for this system.
    """
    if preset not in PRESETS:
        hint = nearest(preset, PRESETS)
        raise ConfigError(f"no preset named {preset!r}; {hint}Known: {', '.join(PRESETS)}")
    optimizer = optimizer or ("ivon" if method == "adalora" else "adamw")
    if criterion is None:
        pruned = "snr" if optimizer == "ivon" else "sensitivity"
        criterion = pruned if method == "adalora" and allocation == "budget" else "none"
    if preset == "paper":
        values = _published(task, method, optimizer, criterion, target_rank)
    else:
        values = dict(_LIVE.get((method, optimizer), {}))
    if scale is None:
        scale = steps / values["steps"] if steps and "steps" in values else 1.0
    values = _scaled(values, scale)
    chosen = {"preset": preset, "method": method, "optimizer": optimizer, "criterion": criterion}
    return values | chosen | {"target_rank": target_rank, "scale": scale}


def _scaled(values: dict[str, Any], scale: float) -> dict[str, Any]:
    """Shrink all that is counted in steps alike, so that the schedule keeps its shape."""
    if not 0 < scale < math.inf:
        raise ConfigError(f"scale = {scale}: must be greater than 0 and finite")
    if scale == 1.0:
        return values
    counted = {k: values[k] for k in _SCALED if values.get(k) is not None}
    return values | {name: max(1, round(scale * value)) for name, value in counted.items()}


def _published(
    task: str, method: str, optimizer: str, criterion: str, target_rank: int
) -> dict[str, Any]:
    rows = [row for row in _rows() if row["task"] == task]
    if not rows:
        tasks = dict.fromkeys(row["task"] for row in _rows())
        raise ConfigError(
            f"no settings were published for task {task!r}; only for {', '.join(tasks)}"
        )
    row = _row_of(rows, method, optimizer, criterion)
    if row is None:
        systems = dict.fromkeys(f"{row['method']} with {row['optimizer']}" for row in rows)
        raise ConfigError(
            f"no settings were published for {method} with {optimizer} on {task}; only for "
            f"{', '.join(systems)}"
        )
    values: dict[str, Any] = {
        name: int(text) if name in _WHOLE else text if name == "lr_schedule" else float(text)
        for name, text in row.items()
        if text and name not in ("task", "method", "optimizer", "criterion", "epochs")
    }
    values["gradient_checkpointing"] = bool(values.get("gradient_checkpointing"))
    values["steps"] = int(row["epochs"]) * math.ceil(get_task(task).rows / values["batch_size"])
    values["init_rank"] = max(1, 3 * target_rank // 2)  # 3 for 2 and 6 for 4
    # at every allocation: every step of MNLI would be a log of 10 GB
    values["record_every"] = values.get("allocate_every", values["eval_every"])
    return values | (_PUBLISHED_IVON if optimizer == "ivon" else {})


def _row_of(
    rows: list[dict[str, str]], method: str, optimizer: str, criterion: str
) -> dict[str, str] | None:
    """Row of a system; a score that the paper has not gets the settings of its first SNR."""
    alike = [row for row in rows if (row["method"], row["optimizer"]) == (method, optimizer)]
    exact = [row for row in alike if criterion in row["criterion"].split("|")]
    snr = [row for row in alike if "snr" in row["criterion"].split("|")]
    return next(iter([*exact, *snr, *alike]), None)


def _rows() -> list[dict[str, str]]:
    """Published settings (Chen & Garner, section IV and their scripts), a row for each system."""
    text = resources.files(__package__).joinpath("published.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


_LIVE: dict[tuple[str, str], dict[str, Any]] = {
    # AdaLoRA under IVON: the defaults of RunConfig itself
    ("adalora", "adamw"): {"weight_decay": 0.0},
    ("lora", "adamw"): {"weight_decay": 0.0, "lr": 2e-3, "alpha": 32.0},
    ("lora", "ivon"): {"lr": 5.0, "alpha": 32.0},
    ("full_ft", "adamw"): {"weight_decay": 0.0, "lr": 1e-4},
    ("full_ft", "ivon"): {"lr": 0.2},
}
"""By method and optimizer; found by experiment with the bundled encoder on SST-2."""
