"""What is said around the writing, for as long as it lasts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime

import vilora_analysis
from vilora_analysis.errors import ConfigError
from vilora_analysis.provenance.record import Provenance, RunReference

__all__ = ["current", "recorded", "writing_as"]

_CURRENT: ContextVar[Provenance | None] = ContextVar("vilora_provenance", default=None)


def current() -> Provenance:
    """What a file written now carries; outside of :func:`recorded` the version alone."""
    return _CURRENT.get() or Provenance(vilora_analysis.__version__)


@contextmanager
def recorded(
    runs: Iterable[RunReference] | None = None, command: Sequence[str] | None = None
) -> Iterator[Provenance]:
    """Say what files come from that are written within.

    Parameters
    ----------
    runs
        What they are made from, see :func:`vilora_analysis.log.references`; None for what is said
        around this.
    command
        Words of the command line, likewise.

    Raises
    ------
    ConfigError
        If ``SOURCE_DATE_EPOCH`` is set to what is no time.

    Examples
    --------
    >>> with recorded(command=["vilora", "audit"]), recorded([RunReference("a", "1f", "9e")]):
    ...     current().command, [run.name for run in current().runs]
    (('vilora', 'audit'), ['a'])
    >>> current().command
    ()
    """
    around = current()
    within = replace(
        around,
        runs=around.runs if runs is None else tuple(runs),
        command=around.command if command is None else tuple(command),
        created=around.created or _now(),
    )
    token = _CURRENT.set(within)
    try:
        yield within
    finally:
        _CURRENT.reset(token)


@contextmanager
def writing_as(made: Provenance) -> Iterator[None]:
    """Let files written within carry a record that was current elsewhere: in another process."""
    token = _CURRENT.set(made)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def _now() -> str:
    """UTC to the second; what builds that must come out the same byte for byte set in its place.

    See https://reproducible-builds.org/specs/source-date-epoch/.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return datetime.fromtimestamp(int(given), UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"SOURCE_DATE_EPOCH = {given!r}: seconds since 1970 are expected; unset or mend it"
        ) from None
