"""``vilora provenance``: where files came from, as they say themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from vilora_analysis.errors import ConfigError, LogError

if TYPE_CHECKING:
    from vilora_analysis.cli.terminal import Terminal

__all__ = ["Provenance", "provenance"]


@dataclass(frozen=True)
class Provenance:
    """Say where files came from: version, command, and each run's name, id and digest.

    Example: vilora provenance analysis/ranks.pdf analysis/ranks.parquet

    Every PNG, PDF, SVG and Parquet file and every page of findings that vilora writes carries it;
    CSV cannot. Exit status 1 if a file carries none, 2 if one cannot be read.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE...")]
    """Files to ask."""


def provenance(command: Provenance, console: Terminal) -> int:
    """Print what each file carries; 1 if one carries nothing, 2 if one cannot be read."""
    if not command.files:
        raise ConfigError("name at least one file")
    return max([_show(file, console) for file in command.files])


def _show(file: Path, console: Terminal) -> int:
    from vilora_analysis.provenance import read_provenance

    try:
        made = read_provenance(file)
    except LogError as error:
        console.line(str(error))  # the other files are read all the same
        return 2
    if made is None:
        console.line(f"{file}: no provenance{_why(file)}")
        return 1
    console.line(str(file))
    for line in made.lines():
        console.line(f"  {line}")
    return 0


def _why(file: Path) -> str:
    if file.suffix.lower() != ".csv":
        return ""
    beside = file.with_suffix(".parquet")
    where = f"; see {beside}" if beside.exists() else ""
    return f", CSV has no place for it{where}"
