"""Settings that cannot work are refused before anything heavy is loaded, with what to change."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from vilora_analysis.cli import main
from vilora_analysis.errors import ConfigError, LogError, ViloraError
from vilora_analysis.training import RunConfig, configure

L1: dict[str, Any] = {"allocation": "l1", "l1_penalty": 1e-3, "criterion": "none"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "sst"}, "no task named 'sst'; did you mean sst2?"),
        ({"optimizer": "adam"}, "neither 'ivon' nor 'adamw'"),
        ({"criterion": "snrr"}, "did you mean snr?"),
        ({"optimizer": "adamw"}, "'snr' needs a posterior, which adamw does not keep"),
        ({"steps": 0}, "steps = 0: must be greater than 0"),
        ({"batch_size": -1}, "batch_size = -1"),
        ({"lr": 0.0}, "lr = 0.0"),
        ({"beta2": 1.0}, "beta2 = 1.0: lies in [0, 1)"),
        ({"warmup_steps": 700}, "warmup_steps 700 exceed the 600 steps"),
        ({"warmup_steps": -1}, "warmup_steps = -1: must not be negative"),
        ({"scale": 0.0}, "scale = 0.0: must be greater than 0"),
        ({"method": "dora"}, "'dora' is none of 'adalora', 'lora', 'full_ft'"),
        ({"method": "lora"}, "lora has no singular values to prune; criterion must be 'none'"),
        ({"method": "lora", "criterion": "none", "target_rank": 0}, "LoRA needs a rank"),
        ({"lr_schedule": "two_level"}, "two_level needs first_lr"),
        ({"lr_schedule": "two_level", "first_lr": 2.0}, "warmup_steps 36 <= first_steps 0"),
        ({"eval_samples": 2, "optimizer": "adamw", "criterion": "none"}, "eval_samples need a"),
        ({"train_file": Path("x.csv")}, "train_file needs validation_file, and text_columns"),
        ({"text_columns": ("a",)}, "go with train_file"),
        ({"seed": -1}, "seed = -1: must not be negative"),
        ({"seed": 2**32}, "seed = 4294967296: must be below 2^32"),
        ({"lr": math.inf}, "lr = inf: must be finite"),
        ({"lr": math.nan}, "lr = nan"),
        ({"ess": math.nan}, "ess = nan"),
        ({"alpha": math.inf}, "alpha = inf: must be finite"),
        ({"hess_init": 0.0}, "hess_init = 0.0"),
        ({"ess": -5.0}, "ess = -5.0"),
        ({"target_rank": 8}, "target budget 8 must lie in 0 .. 6"),
        ({"steps": 10, "tinit": 6, "tfinal": 4}, "no step is left to allocate in"),
        ({"data_dir": Path("x")}, "acceptability is generated"),
        ({"data_dir": "x"}, "acceptability is generated"),
        ({"out": ""}, "out is empty; name a path, or leave it out"),
        ({"out": 5}, "out = 5 is no path"),
        ({"allocation": "l2"}, "'l2' is neither 'budget' nor 'l1'"),
        ({"l1_penalty": 1e-3}, "l1_penalty = 0.001 goes with allocation 'l1'"),
        ({"allocation": "l1", "criterion": "none"}, "l1_penalty = 0.0: allocation 'l1' needs one"),
        ({**L1, "l1_penalty": math.nan}, "l1_penalty = nan"),
        ({**L1, "criterion": "snr"}, "criterion must be 'none', got 'snr'"),
        ({**L1, "method": "lora"}, "shrinks AdaLoRA's singular values; lora has none"),
        ({**L1, "l1_metric": "adam"}, "'adam' is neither 'optimizer' nor 'euclidean'"),
    ],
)
def test_mistakes_say_what_to_change(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError if "crit" not in str(settings) else ViloraError) as caught:
        RunConfig(**settings)
    assert message in str(caught.value)


def test_what_happens_when_the_log_fails_is_chosen_and_no_setting_of_the_run() -> None:
    assert RunConfig().on_error == "raise"
    assert RunConfig(on_error="warn").as_dict() == RunConfig().as_dict()  # a resume may choose anew
    with pytest.raises(ConfigError, match="on_error 'ignore' is neither 'raise' nor 'warn'"):
        RunConfig(on_error="ignore")  # type: ignore[arg-type]


def test_defaults_are_filled_in() -> None:
    config = RunConfig(steps=1000)
    schedule = config.schedule(matrices=37)
    assert (schedule.tinit, schedule.tfinal, schedule.final_step) == (150, 400, 600)
    assert (schedule.init_budget, schedule.target_budget) == (222, 148)
    assert config.learning_rate > 0
    assert str(config.directory) == "runs/acceptability-adalora-ivon-snr-0"


def test_observing_needs_no_criterion() -> None:
    assert RunConfig(optimizer="adamw", criterion="none").criterion == "none"


def test_the_manifest_gets_no_paths_of_this_machine() -> None:
    config = RunConfig(task="sst2", data_dir=Path("somewhere/glue"), out=Path("elsewhere"))
    assert not re.search("somewhere|elsewhere", str(config.as_dict()))


@pytest.mark.parametrize("optimizer", ["ivon", "adamw"])
def test_a_penalty_prunes_by_no_score(optimizer: str) -> None:
    config = configure(allocation="l1", l1_penalty=1e-3, optimizer=optimizer)
    assert config.criterion == "none"
    assert str(config.directory) == f"runs/acceptability-adalora-{optimizer}-l1=0.001-0"


def test_paths_may_be_text() -> None:
    settings = {name: f"some/{name}" for name in ("data_dir", "train_file", "validation_file")}
    columns = {"text_columns": ("text",), "task": "moods"}
    given = RunConfig(out="runs/a", **settings, **columns)  # type: ignore[arg-type]
    assert given == RunConfig(
        out=Path("runs/a"), **{name: Path(path) for name, path in settings.items()}, **columns
    )
    assert given.directory == Path("runs/a")
    assert RunConfig(out="file:///tmp/a").directory == Path("/tmp/a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://runs/a", "memory://runs/a: --out needs a folder of this machine; "),
        ("s4://bucket/a", "a protocol that is not known, 's4'"),
    ],
)
def test_of_a_url_the_command_says_what_python_says(
    url: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for given in (url, Path(url)):  # which has lost a slash
        with pytest.raises(LogError, match=message) as raised:
            RunConfig(out=given)  # type: ignore[arg-type]
    assert main(["train", "--out", url]) == 2
    assert capsys.readouterr().err.startswith(f"vilora: {raised.value}")
