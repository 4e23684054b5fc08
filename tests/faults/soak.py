"""How many cases the tests of this folder generate: few in the suite, many in ``make soak``."""

from __future__ import annotations

import os

__all__ = ["SOAK", "count"]

SOAK = os.environ.get("VILORA_SOAK", "") not in ("", "0")


def count(short: int, long: int) -> int:
    """Cases to generate."""
    return long if SOAK else short
