"""Reading the file of a sweep: what is too large or too deep is refused before it is expanded."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vilora_analysis.errors import ConfigError

__all__ = ["parse_toml", "read_text", "refuse_too_many"]

_MOST_BYTES = 1_000_000
_MOST_RUNS = 10_000
_DEEPEST = 8
_LARGEST = 2**63  # beyond some thousands of digits a number cannot even be shown


def read_text(path: Path) -> str:
    """Text of a file.

    Raises
    ------
    ConfigError
        If it cannot be read, or is no file that anybody has written by hand.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path} has more than {_MOST_BYTES} bytes; is it a sweep's file?")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Tables of a TOML text.

    Raises
    ------
    ConfigError
        Naming the source, if it is no TOML, or holds numbers or tables beyond all measure.
    """
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{source} is nested too deeply") from None
    except ValueError as error:  # no TOML, or a number of thousands of digits
        raise ConfigError(f"{source} is not TOML: {error}") from None
    _refuse_beyond_measure(raw, source, 0)
    return raw


def _refuse_beyond_measure(value: Any, source: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ConfigError(f"{source} is nested too deeply")
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise ConfigError(f"{source} holds a whole number beyond 2^63")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _refuse_beyond_measure(item, source, depth + 1)


def refuse_too_many(axes: Iterable[Mapping[str, Sequence[Any]]], source: str) -> None:
    """Refuse more runs than anybody can mean, before the first of them is made.

    Raises
    ------
    ConfigError
        Saying how many there would be.

    Examples
    --------
    >>> refuse_too_many([{"seed": range(10**6), "steps": range(10**3)}], "my.toml")
    Traceback (most recent call last):
    ...
    vilora_analysis.errors.ConfigError: my.toml asks for 1,000,000,000 runs; 10,000 at most, ...
    """
    count = sum(math.prod(map(len, fields.values())) for fields in axes)
    if count > _MOST_RUNS:
        raise ConfigError(
            f"{source} asks for {count:,} runs; {_MOST_RUNS:,} at most, in several files if need be"
        )
