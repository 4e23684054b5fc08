"""Entry point: parse, run, and turn a user's mistake into plain lines and exit status 2."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

import vilora_analysis
from vilora_analysis.cli.asking_logs import Analyze
from vilora_analysis.cli.streams import accept_any_text, flush_output, stop_output
from vilora_analysis.cli.train import command_for
from vilora_analysis.cli.working import working
from vilora_analysis.errors import ViloraError, explain_missing
from vilora_analysis.text import inert

__all__ = ["main", "script"]

_EXIT_MISTAKE, _EXIT_INTERRUPTED = 2, 130


def script() -> int:
    """:func:`main`, as the last thing that the process does."""
    status = main()
    gc.freeze()  # at its end the interpreter looks for garbage in all that was imported: 0.4 s
    return status


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
    accept_any_text()
    # Arrow's own allocator keeps what a long log was read through: 60 MB, and no faster
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        return _answer(sys.argv[1:] if arguments is None else arguments)
    except ViloraError as error:
        return _complain(error)
    except ModuleNotFoundError as error:
        explained = explain_missing(error)
        if explained is error:
            raise
        return _complain(explained)
    except BrokenPipeError:
        stop_output()
        return 0  # the reader of our output has seen enough
    except KeyboardInterrupt:
        print("vilora: interrupted; what was flushed stays readable", file=sys.stderr)
        return _EXIT_INTERRUPTED
    finally:
        flush_output()


def _answer(words: Sequence[str]) -> int:
    if list(words) == ["--version"]:
        print(f"vilora {vilora_analysis.__version__}")
        return 0
    _refuse_empty(words)
    command = _parse(words)
    from vilora_analysis.cli.run import run_command
    from vilora_analysis.provenance import recorded

    workers = command.scheduler if isinstance(command, Analyze) else None  # others see to it
    # who draws is forked from this process, which a connected client would not survive
    with recorded(command=("vilora", *words)), working(workers, at_once=False):
        return run_command(command)


def _complain(error: Exception) -> int:
    said = " ".join(str(error).splitlines())
    print(f"vilora: {inert(said)}", file=sys.stderr)
    return _EXIT_MISTAKE


def _refuse_empty(words: Sequence[str]) -> None:
    """Refuse what a shell makes of an unset variable: as a path it would be the working folder."""
    for before, word in zip(("vilora", *words), words, strict=False):
        if not word.strip() or re.fullmatch(r"--[\w-]+=", word):
            name = word.strip() or before
            raise ViloraError(f"nothing stands after {name}; give it a value, or leave it out")


def _parse(words: Sequence[str]) -> Any:
    complaint = io.StringIO()
    # with a help of its own: looking for one takes longer than all the rest of the help
    command: Any = Annotated[command_for(words), tyro.conf.arg(help="")]
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                command,
                prog="vilora",
                description="Record, audit and draw importance scores for low-rank adapters. "
                f"Version {vilora_analysis.__version__}.",
                args=words,
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
    first = _wanted(said[0]) if said else "cannot read the command"
    near = re.findall(r"--[\w-]+(?= )", " ".join(t for t in said if t.startswith("Perhaps")))
    suggestion = f"; did you mean {near[0]}?" if near else ""
    return f"{first}{suggestion} (see: vilora --help)"


_KINDS = {"int() ": "a whole number", "float: ": "a number", "INT": "a whole number"}


def _wanted(complaint: str) -> str:
    """Say what was expected where the parser quotes what Python said."""
    complaint = re.sub(r"^Error parsing \w+: ", "", complaint)
    option = re.match(r"Error parsing (--[\w-]+): ", complaint)
    kind = next((wanted for sign, wanted in _KINDS.items() if sign in complaint), None)
    got = re.search(r"(?:base 10|to float): ('.*')$", complaint)
    if option is None or kind is None or got is None:
        return complaint
    return f"{option[1]} is {kind}; got {got[1]}"
