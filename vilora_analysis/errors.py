"""What can go wrong by a user's hand; the command line prints these as plain lines."""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType

__all__ = [
    "ConfigError",
    "LayoutError",
    "LogError",
    "MissingExtraError",
    "ScoreError",
    "ViloraError",
    "nearest",
    "require",
]


class ViloraError(Exception):
    """Base of the errors that name what was expected, what was got, and the remedy."""


class ConfigError(ViloraError, ValueError):
    """A setting that is invalid, or several that contradict each other."""


class ScoreError(ViloraError, ValueError):
    """A score that cannot be registered, found or computed."""


class LayoutError(ViloraError, ValueError):
    """Model, optimizer and adapter do not fit together."""


class LogError(ViloraError, ValueError):
    """A run directory that is missing, damaged, locked or not understood."""


class MissingExtraError(ViloraError, ImportError):
    """A dependency of an optional extra is not installed."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional dependency, or say which extra brings it.

    Parameters
    ----------
    module
        Name of the module to import.
    extra
        The extra of this package that installs it.

    Raises
    ------
    MissingExtraError
        If the module is not installed.

    Examples
    --------
    >>> require("math", extra="train").sqrt(4.0)
    2.0
    >>> require("no_such_module", extra="train")
    Traceback (most recent call last):
    ...
    vilora_analysis.errors.MissingExtraError: 'no_such_module' is not installed; ...
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{(error.name or module)!r} is not installed; "
            f'install it with: pip install "vilora-analysis[{extra}]"'
        ) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """Question that suggests the nearest known names; empty where none is near.

    Examples
    --------
    >>> nearest("sst", ["sst2", "rte"])
    'did you mean sst2? '
    >>> nearest("zzz", ["sst2", "rte"])
    ''
    """
    near = difflib.get_close_matches(name, list(known), n=2)
    return f"did you mean {', '.join(near)}? " if near else ""
