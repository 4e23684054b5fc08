"""A connection to a Dask scheduler that somebody started."""

from __future__ import annotations

import logging
from typing import Any

from vilora_analysis.errors import ConfigError, require

__all__ = ["CONNECT_SECONDS", "QUIET", "connected"]

QUIET = logging.CRITICAL + 1
"""Level of Dask's own messages: what went wrong is said in our own words, once."""

CONNECT_SECONDS = 10.0
"""How long an answer is waited for."""


def connected(address: str) -> Any:
    """Client of a scheduler.

    Raises
    ------
    ConfigError
        If none answers.
    MissingExtraError
        If Dask is not installed.
    """
    distributed = require("distributed", extra="sweep")
    try:
        return distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no scheduler answers at {address} within {CONNECT_SECONDS:.0f} s "
            f"({type(error).__name__}); start one with: dask scheduler"
        ) from None
