"""What a file says of where it came from, to and from one line of JSON."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from typing import Any

from vilora_analysis.errors import LogError
from vilora_analysis.text import inert

__all__ = ["MARK", "Provenance", "RunReference"]

MARK = '{"vilora_analysis": '
"""How every record begins, which tells it from what others write into the same fields."""

_IN_MARKUP = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}


@dataclass(frozen=True)
class RunReference:
    """One run that a file was made from.

    Attributes
    ----------
    name
        Name of its directory, without the folders above it.
    run_id
        Unique id, from ``run.json``.
    digest
        Of what was recorded, see :func:`vilora_analysis.log.run_digest`.
    """

    name: str
    run_id: str
    digest: str


@dataclass(frozen=True)
class Provenance:
    """Where a file came from.

    Attributes
    ----------
    version
        Of this package.
    runs
        What the file was made from; empty where nobody said.
    command
        Words of the command line as they were typed, ``vilora`` first; empty outside of one.
    created
        When the command began (not when the file was written, so that all files of one command
        agree), UTC, ISO 8601; ``SOURCE_DATE_EPOCH`` in its place if that is set. Empty where
        nobody said.

    Examples
    --------
    >>> made = Provenance("0.1.0", (RunReference("a", "1f", "9e"),), ("vilora", "audit", "runs"))
    >>> print(made.to_json())
    {"vilora_analysis": "0.1.0", "command": ["vilora", "audit", "runs"], "runs": [{"name": ...}]}
    >>> Provenance.from_json(made.to_json()) == made
    True
    """

    version: str
    runs: tuple[RunReference, ...] = ()
    command: tuple[str, ...] = ()
    created: str = ""

    def to_json(self) -> str:
        """One line of ASCII without angle brackets and ampersands, so that it fits in anywhere."""
        said = {
            "created": self.created,
            "command": self.command,
            "runs": [asdict(run) for run in self.runs],
        }
        known = {key: value for key, value in said.items() if value}
        return json.dumps({"vilora_analysis": self.version, **known}).translate(_IN_MARKUP)

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        LogError
            If it is anything else.
        """
        try:
            raw = json.loads(text)
            made = cls(
                raw["vilora_analysis"],
                tuple(
                    RunReference(run["name"], run["run_id"], run["digest"])
                    for run in raw.get("runs", ())
                ),
                tuple(raw.get("command", ())),
                raw.get("created", ""),
            )
            _refuse_other_than_text(made)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LogError(f"not a record of provenance: {text[:80]!r} ({error})") from None
        return made

    def lines(self) -> list[str]:
        """For people: version and time, the command as a shell takes it, a line a run.

        What is not printable, such as a line feed in a name, is escaped.
        """
        said = [f"vilora_analysis {self.version}{', ' if self.created else ''}{self.created}"]
        if self.command:
            said.append(f"command  {shlex.join(self.command)}")
        said += [f"run      {run.name}  id {run.run_id}  sha256 {run.digest}" for run in self.runs]
        return [inert(text) for text in said]


def _refuse_other_than_text(made: Provenance) -> None:
    texts: list[Any] = [made.version, made.created, *made.command]
    texts += [text for run in made.runs for text in asdict(run).values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("not all of it is text")
