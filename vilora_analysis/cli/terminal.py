"""Where the commands print: text goes out as it is, whoever reads it and in whatever encoding."""

from __future__ import annotations

import io
import os
import sys

from rich.console import Console, RenderableType

__all__ = ["Terminal", "accept_any_text", "flush_output", "stop_output"]


class _Console(Console):
    """Falls silent when its reader has seen enough (``| head``); the command works to its end."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        stop_output()


class Terminal:
    """Standard output, where brackets and colons in names are what they are."""

    def __init__(self) -> None:
        self._console = _Console(markup=False, emoji=False, highlight=False)

    def line(self, text: str) -> None:
        """Print one line, however long: a path that is cut in two cannot be copied."""
        self._console.print(text, soft_wrap=True)

    def print(self, shown: RenderableType) -> None:
        """Print a table, or text broken into lines."""
        self._console.print(shown)


def accept_any_text() -> None:
    """Let output in an encoding without the letters of a formula escape them, not raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write out what is buffered, while a reader that has gone can still be told from an error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        stop_output()


def stop_output() -> None:
    """Send the rest nowhere, so that the interpreter does not fail on it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
