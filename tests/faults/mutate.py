"""Texts that went wrong: cut short, bits flipped, values swapped for others, parts left out."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["mutated_bytes", "mutated_json", "mutated_toml"]

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**400, -(10**30), float("nan"), float("inf")),
    *("", "x", "../../x", "/etc/x", "a\0b", "a\nb", "\x1b[2J", "=1+1", "é" * 300, "[/b]", "\ud800"),
    *([], {}, [[]], [{}], {"": ""}, [1, "a", None]),
)


def mutated_bytes(raw: bytes, generator: np.random.Generator) -> bytes:
    """Cut, with flipped bits, with a piece left out, or with one repeated."""
    kind = generator.integers(4)
    first, last = sorted(generator.integers(0, len(raw) + 1, 2).tolist())
    if kind == 0:
        return raw[:first]
    if kind == 1:
        return raw[:first] + raw[last:]
    if kind == 2:
        return raw[:last] + raw[first:]
    spoilt = bytearray(raw)
    for _ in range(int(generator.integers(1, 4))):
        spoilt[int(generator.integers(len(raw)))] ^= 1 << int(generator.integers(8))
    return bytes(spoilt)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with every key in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)


def mutated_value(value: Any, generator: np.random.Generator) -> Any:
    """The same, but for one place: another value there, none, or that of another place."""
    changed = copy.deepcopy(value)
    places = list(_places(changed))
    container, key = places[int(generator.integers(len(places)))]
    kind = generator.integers(3)
    if kind == 0:
        del container[key]
    elif kind == 1:
        container[key] = copy.deepcopy(STRANGE[int(generator.integers(len(STRANGE)))])
    else:
        other, at = places[int(generator.integers(len(places)))]
        container[key], other[at] = copy.deepcopy(other[at]), copy.deepcopy(container[key])
    return changed


def _mutated(
    raw: bytes, value: Any, dump: Callable[[Any], str], generator: np.random.Generator
) -> bytes:
    if generator.random() < 0.4:
        return mutated_bytes(raw, generator)
    return dump(mutated_value(value, generator)).encode("utf-8", "surrogatepass")


def mutated_json(raw: bytes, generator: np.random.Generator) -> bytes:
    """A JSON text with one mutation."""
    return _mutated(raw, json.loads(raw), json.dumps, generator)


def mutated_toml(value: dict[str, Any], generator: np.random.Generator) -> bytes:
    """A TOML text with one mutation; values are written as inline tables."""
    raw = _toml(value).encode()
    return _mutated(raw, value, _toml, generator)


def _toml(value: dict[str, Any]) -> str:
    return "\n".join(f"{json.dumps(str(key))} = {_inline(item)}" for key, item in value.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{json.dumps(str(k))} = {_inline(v)}" for k, v in value.items())
        return f"{{{pairs}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return "''" if value is None else json.dumps(value).lower()
