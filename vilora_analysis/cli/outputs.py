"""Where commands write: to this machine, also when they read runs of an object store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

__all__ = ["refuse_remote_outputs"]

_OUTPUTS = ("out", "csv", "figures")


def refuse_remote_outputs(command: Any) -> None:
    """Refuse a URL where a command writes, which would become a folder of a strange name here.

    Parameters
    ----------
    command
        A parsed command.

    Raises
    ------
    LogError
        Naming the option, and what to do instead.
    """
    given = {field.name: getattr(command, field.name) for field in dataclasses.fields(command)}
    paths = {name: given[name] for name in _OUTPUTS if isinstance(given.get(name), Path)}
    if not any(":" in str(path) for path in paths.values()):
        return  # nothing is loaded for the usual case
    from vilora_analysis.log.places import local_output

    for name, path in paths.items():
        local_output(path, f"--{name}")
