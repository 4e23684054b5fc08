"""Entry point: parse, run, and turn a user's mistake into plain lines and exit status 2."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Sequence
from typing import Any

import tyro

from vilora_analysis.cli.commands import Command
from vilora_analysis.errors import ViloraError

__all__ = ["main"]

_EXIT_MISTAKE, _EXIT_INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Words after ``vilora``; those of the process by default.

    Returns
    -------
    int
        0 if all went well, 1 if a check found something, 2 for a user's mistake, 130 if
        interrupted.
    """
    try:
        command = _parse(arguments)
        from vilora_analysis.cli.run import run_command

        return run_command(command)
    except ViloraError as error:
        print(f"vilora: {error}", file=sys.stderr)
        return _EXIT_MISTAKE
    except BrokenPipeError:
        return 0  # the reader of our output has seen enough
    except KeyboardInterrupt:
        print("vilora: interrupted; what was flushed stays readable", file=sys.stderr)
        return _EXIT_INTERRUPTED


def _parse(arguments: Sequence[str] | None) -> Any:
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                Command,
                prog="vilora",
                description="Record, audit and draw importance scores for low-rank adapters.",
                args=arguments,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise ViloraError(_plain(complaint.getvalue())) from None


def _plain(complaint: str) -> str:
    """Take the frame off the parser's complaint, and keep what it says first."""
    framed = "│" in complaint
    sections: list[list[str]] = [[]]
    for line in complaint.splitlines():
        inner = line.strip("│| ")
        if re.fullmatch(r"[─\-]+", inner) or line.startswith(("╭", "╰")):
            sections.append([])
        elif inner:
            sections[-1].append(inner)
    said = [" ".join(section) for section in sections if section]
    if not framed:
        said = said[1:]  # without a frame to stand in, the title comes first
    first = re.sub(r"^Error parsing \w+: ", "", said[0]) if said else "cannot read the command"
    near = re.findall(r"--[\w-]+(?= )", " ".join(t for t in said if t.startswith("Perhaps")))
    suggestion = f"; did you mean {near[0]}?" if near else ""
    return f"{first}{suggestion} (see: vilora --help)"
