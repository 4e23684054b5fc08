"""Who holds a run: what a lock says of the process that took it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["in_words", "this_process"]


def this_process() -> dict[str, Any]:
    """What this process says of itself."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def in_words(holder: Mapping[str, Any]) -> str:
    """Name a holder by what its lock says; it may say nothing.

    Examples
    --------
    >>> in_words({"pid": 7, "host": "here", "since": "noon"}), in_words({})
    ('process 7 on here since noon', 'another process')
    """
    pid, host, since = (holder.get(name) for name in ("pid", "host", "since"))
    if None in (pid, host, since):
        return "another process"
    return f"process {pid} on {host} since {since}"
