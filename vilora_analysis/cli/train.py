"""``vilora train``: settings from a preset and the command line, then the run."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from vilora_analysis.cli.commands import Command, Others, Train
from vilora_analysis.errors import ConfigError, refuse_file
from vilora_analysis.training.config import RunConfig, configure
from vilora_analysis.training.presets import CHOOSING

if TYPE_CHECKING:
    from vilora_analysis.cli.terminal import Terminal

__all__ = ["command_for", "train"]

_NUMBERS: dict[str, type] = {"target_rank": int, "steps": int, "scale": float, "l1_penalty": float}


def command_for(words: Sequence[str]) -> Any:
    """Type to parse the words into: for ``train``, with the defaults of the preset they choose.

    ``vilora train --preset paper --task rte --help`` shows the published values.

    Raises
    ------
    ConfigError
        If the preset has no settings for what was chosen.
    """
    if not words or words[0] != "train":
        return Command
    chosen = _chosen(words[1:])
    if chosen is None:
        return Command  # what is wrong with the words, the parser says better
    values = dataclasses.asdict(configure(**chosen))
    default = Train(**values)
    return Annotated[Train, tyro.conf.subcommand("train", default=default)] | Others


def _chosen(words: Sequence[str]) -> dict[str, Any] | None:
    """What the words say of the settings that a preset depends on."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in (*CHOOSING, "l1_penalty", "train_file", "validation_file", "text_columns"):
        nargs = "+" if name == "text_columns" else None
        flags = [f"--{name.replace('_', '-')}", f"--{name}"]
        parser.add_argument(*dict.fromkeys(flags), dest=name, nargs=nargs)
    try:
        found, _ = parser.parse_known_args(list(words))
        given = {name: value for name, value in vars(found).items() if value is not None}
        own = {"train_file": Path, "validation_file": Path, "text_columns": tuple}
        return {name: {**_NUMBERS, **own}.get(name, str)(v) for name, v in given.items()}
    except (argparse.ArgumentError, ValueError):
        return None


def train(config: RunConfig, console: Terminal, figures: Path | None = None) -> int:
    """Train one run, or show what would run."""
    from vilora_analysis.cli.show import show_summary

    if isinstance(config, Train):
        fields = {field.name for field in dataclasses.fields(RunConfig)}
        plain = RunConfig(**{name: getattr(config, name) for name in fields})
        if config.show_config:
            _show_config(plain, console)
            return 0
        config = plain
    if not config.scores:
        raise ConfigError("scores names none; name at least one, or leave it out")
    refuse_file(config.directory)
    from vilora_analysis.training.run import train as train_run

    what = "" if config.criterion == "none" else f", criterion {config.criterion}"
    console.line(
        f"{config.task}: {config.steps} steps of {config.method} with {config.optimizer}{what}, "
        f"model {config.model}"
    )
    with _asked_to_end():
        run = train_run(config)
    show_summary(run, console)
    console.line(f"log       {run.path}")
    if figures is not None:
        from vilora_analysis.cli.artefacts import analyse

        analyse(run, figures)
        console.line(f"figures   {figures}")
    elif run.manifest.modules:
        console.line(f"analyse   vilora analyze {run.path}")
    return 0


@contextlib.contextmanager
def _asked_to_end() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C, with what was recorded written: batch systems ask, then kill."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_config(config: RunConfig, console: Terminal) -> None:
    """Print every setting as TOML, as a sweep's [fixed] takes it, and the schedule it makes."""
    for name, value in config.as_dict().items():
        if value is not None:
            console.line(f"{name} = {_toml(value)}")
    console.line(f"# warm-up: {config.warmup} steps")
    if config.method == "adalora" and config.criterion != "none":
        schedule = config.schedule(matrices=1)
        decisions = sum(map(schedule.decides, range(1, config.steps + 1)))
        console.line(
            f"# {decisions} allocations, after steps {schedule.tinit} to {schedule.final_step}, "
            f"from rank {config.init_rank} to {config.target_rank} on average"
        )


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    # of what JSON escapes, TOML reads everything alike; it wants DEL escaped too
    return json.dumps(value).replace("\x7f", "\\u007f") if isinstance(value, str) else repr(value)
