"""Standard output and error: any text in any encoding, and a reader that may have gone."""

from __future__ import annotations

import io
import os
import sys

__all__ = ["accept_any_text", "flush_output", "stop_output"]


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
