"""Checkpoints that cannot be written: the rule of the log, ``on_error``, holds for them as well."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from vilora_analysis.errors import LogError
from vilora_analysis.log.remedies import remedy

__all__ = ["Saving"]

_KEPT = "What was written before stays whole"


class Saving:
    """Writes of files that training can do without.

    What is written takes its name when it is whole: after a failure the file before is there.
    ``"raise"`` stops with an error; ``"warn"`` warns once of each kind of file, and writing it is
    tried again when the next one is due.

    Parameters
    ----------
    on_error
        The rule, ``raise`` or ``warn``.
    """

    def __init__(self, on_error: str) -> None:
        self._warns = on_error == "warn"
        self._told: set[str] = set()

    @contextmanager
    def attempt(self, what: str, step: int) -> Iterator[None]:
        """Write one, or fail by the rule.

        Parameters
        ----------
        what
            Kind of file, in words.
        step
            Step that it is of.

        Raises
        ------
        LogError
            With path and remedy, by the rule ``raise``.
        """
        try:
            yield
        except (LogError, OSError) as error:
            said = f"no {what} at step {step}: {error}"
            if "Remedy: " not in said:  # the log says its own
                said += f". Remedy: {remedy(error)}."
            if not self._warns:
                raise LogError(
                    f"{said} {_KEPT}; a run that has a checkpoint can be resumed"
                ) from error
            if what not in self._told:
                self._told.add(what)
                warnings.warn(
                    f"{said} Training goes on. {_KEPT}, and writing is tried again when the next "
                    "is due.",
                    stacklevel=4,
                )
