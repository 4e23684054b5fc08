"""Fields of a run as a TOML or JSON file spells them: checked against the types of RunConfig."""

from __future__ import annotations

import reprlib
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vilora_analysis.errors import ConfigError, nearest
from vilora_analysis.training.config import RunConfig, configure

__all__ = ["build", "check_field"]

_OWN = ("out", "resume")  # these the sweep itself decides


@cache
def _kinds() -> Mapping[str, Any]:
    return get_type_hints(RunConfig)


def check_field(name: str, value: Any, where: str) -> None:
    """Refuse a field that no run has, or a value of the wrong type.

    Parameters
    ----------
    name, value
        As read.
    where
        File and table, for the message.

    Raises
    ------
    ConfigError
        Naming file, key, expected and got.

    Examples
    --------
    >>> check_field("steps", 60, "my.toml, [fixed]")
    >>> check_field("steps", "60", "my.toml, [fixed]")
    Traceback (most recent call last):
    ...
    vilora_analysis.errors.ConfigError: my.toml, [fixed]: steps is a whole number; got '60'
    """
    if name in _OWN:
        raise ConfigError(f"{where}: {name} is decided by the sweep for each run; leave it out")
    kinds = _kinds()
    if name not in kinds:
        hint = nearest(name, kinds)
        raise ConfigError(f"{where}: no setting named {name!r}; {hint}see vilora train --help")
    if not _fits(value, kinds[name]):
        got = reprlib.repr(value)
        raise ConfigError(f"{where}: {name} is {_wanted(kinds[name])}; got {got}")


def build(fields: Mapping[str, Any], **own: Any) -> RunConfig:
    """Configure a run from checked fields, and from what the sweep decides.

    Raises
    ------
    ConfigError
        If the fields contradict each other.
    """
    kinds = _kinds()
    return configure(
        **{name: _convert(value, kinds[name]) for name, value in fields.items()}, **own
    )


def _members(kind: Any) -> tuple[Any, ...]:
    """Types that a field may have, without None, which a file cannot say."""
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(member for member in get_args(kind) if member is not type(None))
    return (kind,)


def _fits(value: Any, kind: Any) -> bool:
    return any(_fits_one(value, member) for member in _members(kind))


def _fits_one(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind is float:
        return type(value) in (int, float)
    return type(value) is (str if kind is Path else kind)


def _convert(value: Any, kind: Any) -> Any:
    for member in _members(kind):
        if member in (Path, float) and _fits_one(value, member):
            return member(value)
        if get_origin(member) is tuple:
            return tuple(value)
    return value


def _wanted(kind: Any) -> str:
    names = {float: "a number", int: "a whole number", bool: "true or false", Path: "a path"}
    member = _members(kind)[0]
    if get_origin(member) is Literal:
        return "one of " + ", ".join(map(repr, get_args(member)))
    return "a list of texts" if get_origin(member) is tuple else names.get(member, "a text")
